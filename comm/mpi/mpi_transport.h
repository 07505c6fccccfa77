// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <mpi.h>

#include <memory>

#include "comm/message/transport.h"

namespace argosy {

// Messages over a duplicate of `comm`. Collective over `comm`, which stays the caller's.
// `world_rank` is for messages of errors.
std::shared_ptr<Transport> make_mpi_transport(MPI_Comm comm, int world_rank);

}  // namespace argosy
