// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "comm/communicator.h"

namespace argosy {

// A group of one: collectives copy input to output, send to itself is an error.
std::unique_ptr<Communicator> make_self_communicator();

}  // namespace argosy
