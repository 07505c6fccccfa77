// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cstdint>

namespace argosy {

// The one check of every MPI call: throws Error naming the call, MPI's own text, code and rank.
// Communicators must return errors (MPI_ERRORS_RETURN).
void check_mpi(int code, const char* call, int rank);

// A count that MPI takes as int; CHECKs that it is one.
int mpi_count(int64_t count);

}  // namespace argosy
