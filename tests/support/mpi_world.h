// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/message/transport.h"

namespace argosy {

// All ranks of the test program; set by tests/support/mpi_main.cpp before the first test.
Communicator& mpi_test_world();
// Collective. All ranks once more, with calls cut in another way.
std::unique_ptr<Communicator> make_mpi_test_world(const Limits& limits);

}  // namespace argosy
