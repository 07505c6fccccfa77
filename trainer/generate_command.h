// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text from a checkpoint, on one rank: argosy-train --generate PROMPT --run-dir DIR.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"
#include "trainer/options.h"

namespace argosy {

// Writes prompt and continuation to `out`, token by token; with --chat the answer alone; and to
// `log`, at the end, a line of the tokens' rates. Throws
// ConfigError on more than one rank or without a checkpoint.
int run_generate(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 std::ostream& out, std::ostream& log);

}  // namespace argosy
