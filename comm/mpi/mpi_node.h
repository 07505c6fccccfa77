// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <mpi.h>

#include "comm/message/message_communicator.h"

namespace argosy {

// The ranks of this node, and a communicator of theirs for what happens once.
class MpiHost {
 public:
  // Collective over `world`.
  MpiHost(MPI_Comm world, int world_rank);
  ~MpiHost();
  MpiHost(const MpiHost&) = delete;
  MpiHost& operator=(const MpiHost&) = delete;

  MPI_Comm comm() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  int world_rank() const { return world_rank_; }
  // CPUs that the ranks may run on, those of all ranks taken together.
  int num_cpus() const { return num_cpus_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1, world_rank_ = 0, num_cpus_ = 1;
};

// Collective over the host. An MPI-3 shared window for its ranks. Where there is no room for one
// (/dev/shm is small or missing), the node has none and says why.
Node open_mpi_node(const std::shared_ptr<const MpiHost>& host, const Limits& limits);

}  // namespace argosy
