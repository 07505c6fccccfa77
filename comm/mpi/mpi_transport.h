// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <mpi.h>

#include <memory>

#include "comm/message/transport.h"

namespace argosy {

// Messages over duplicates of `comm`, one a channel. Collective over `comm`, which stays the
// caller's. `world_rank` is for messages.
std::shared_ptr<Transport> make_mpi_transport(MPI_Comm comm, int world_rank);

}  // namespace argosy
