// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Communicators over MPI. Only main and the test's main create an MpiEnvironment; nothing else
// names MPI_COMM_WORLD.
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/message/transport.h"

namespace argosy {

class MpiHost;

// MPI_Init_thread in the constructor, MPI_Finalize in the destructor unless an exception is in
// flight.
class MpiEnvironment {
 public:
  MpiEnvironment(int& argc, char**& argv);
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;

  // Collective. All ranks of the job; the communicator and all that is split from it must be gone
  // before the environment. `limits` is for tests of the cutting.
  std::unique_ptr<Communicator> world(const Limits& limits = {}) const;
  // Rank among the ranks of this host (MPI_Comm_split_type SHARED), and how many they are.
  int local_rank() const;
  int local_size() const;
  // CPUs that the ranks of this host may run on, those of all of them together.
  int local_cpus() const;

 private:
  std::shared_ptr<const MpiHost> host_;
  int exceptions_at_start_ = 0;
};

}  // namespace argosy
