// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/mpi/mpi_check.h"

#include <mpi.h>

#include <array>
#include <limits>
#include <string>

#include "planner/spec/check.h"

namespace argosy {

void check_mpi(int code, const char* call, int rank) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(concat("rank ", rank, ": ", call, " failed: ",
                     std::string(text.data(), static_cast<size_t>(length)), " (code ", code, ")"));
}

int mpi_count(int64_t count) {
  CHECK(count >= 0 && count <= std::numeric_limits<int>::max(), "MPI counts in int, not ", count);
  return static_cast<int>(count);
}

}  // namespace argosy
