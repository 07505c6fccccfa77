// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "comm/communicator.h"

namespace argosy {

// All ranks of the test program; set by tests/support/mpi_main.cpp before the first test.
Communicator& mpi_test_world();

}  // namespace argosy
