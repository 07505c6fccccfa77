// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "planner/spec/ledger.h"

namespace argosy {

// Forwards to `inner` and writes each call into `ledger` under `axis`, unless the group has one
// rank. `ledger` must outlive it. Pausing (evaluation, control traffic) is the caller's business:
// see ProcessGroups.
std::unique_ptr<Communicator> make_recording_communicator(std::unique_ptr<Communicator> inner,
                                                          Axis axis, Ledger* ledger);

}  // namespace argosy
