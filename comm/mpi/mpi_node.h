// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <mpi.h>

#include "comm/message/message_communicator.h"

namespace argosy {

// Collective over `world`. An MPI-3 shared window for the ranks of this node. Where there is no
// room for one (/dev/shm is small or missing), the node has none and says why.
Node open_mpi_node(MPI_Comm world, int world_rank, const Limits& limits);

}  // namespace argosy
