// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <functional>

#include "comm/communicator.h"
#include "comm/message/transport.h"

namespace argosy {

// Runs `body` on `size` threads, each with its own rank of one communicator, and joins them:
// parallel code in a unit test, without mpirun. When one rank throws, the others' pending calls
// throw Error, and the first exception is rethrown here. A call that waits longer than `timeout_s`
// for its peers throws Error naming rank and call. `limits` is for tests of the cutting.
void run_on_threads(int size, const std::function<void(Communicator& world)>& body,
                    double timeout_s = 60.0, const Limits& limits = {});

}  // namespace argosy
