// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The collectives of ranks that share memory, each a coroutine over the rounds of a WindowCall.
// Arguments are checked by the caller. Reductions add all ranks' values in the order of the ranks:
// the bits are those of the algorithms over messages.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/message/operation.h"
#include "comm/window/group.h"

namespace argosy {

using SharedWindowGroup = std::shared_ptr<WindowGroup>;

Operation window_all_reduce(SharedWindowGroup group, Buffer inout, ReduceOp op);
Operation window_reduce_scatter(SharedWindowGroup group, ConstBuffer input, Buffer output,
                                std::vector<int64_t> counts);
Operation window_all_gather(SharedWindowGroup group, ConstBuffer input, Buffer output,
                            std::vector<int64_t> counts);
Operation window_all_to_all(SharedWindowGroup group, ConstBuffer input,
                            std::vector<int64_t> send_counts, Buffer output,
                            std::vector<int64_t> recv_counts);
Operation window_broadcast(SharedWindowGroup group, Buffer inout, int root);
Operation window_barrier(SharedWindowGroup group);

}  // namespace argosy
