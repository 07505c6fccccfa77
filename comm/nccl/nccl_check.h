// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <nccl.h>

#include <source_location>

namespace argosy {

// The one check of every NCCL call: throws Error naming the call, NCCL's own words, code, rank and
// place. ncclInProgress is no error. comm: whose last error NCCL tells; may be null.
void check_nccl(ncclResult_t code, const char* call, int rank, ncclComm_t comm = nullptr,
                std::source_location place = std::source_location::current());

}  // namespace argosy
