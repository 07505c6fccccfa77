// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_check.h"

#include <string>

#include "planner/spec/check.h"

namespace argosy {

void check_nccl(ncclResult_t code, const char* call, int rank, ncclComm_t comm,
                std::source_location place) {
  if (code == ncclSuccess || code == ncclInProgress) return;
  const char* last = ncclGetLastError(comm);
  const std::string more = last != nullptr && *last != '\0' ? concat(": ", last) : "";
  throw Error(concat("rank ", rank, ": ", call, " failed: ", ncclGetErrorString(code), more,
                     " (code ", static_cast<int>(code), ") at ", place.file_name(), ":",
                     place.line()));
}

}  // namespace argosy
