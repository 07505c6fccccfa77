// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The algorithms, each written once as a coroutine over messages. Arguments are checked by the
// caller (MessageCommunicator). Every reduction adds all ranks' values in the order of the ranks.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/message/operation.h"
#include "comm/message/scratch.h"
#include "comm/message/transport.h"

namespace argosy {

// Where a call runs. Calls that may be under way together differ in `tag`; each owns tag and tag+1.
struct CallContext {
  std::shared_ptr<Transport> transport;
  std::shared_ptr<ScratchPool> scratch;
  Limits limits;
  int tag = 0;
};

Operation run_all_reduce(CallContext context, Buffer inout, ReduceOp op);
Operation run_reduce_scatter(CallContext context, ConstBuffer input, Buffer output,
                             std::vector<int64_t> counts);
Operation run_all_gather(CallContext context, ConstBuffer input, Buffer output,
                         std::vector<int64_t> counts);
Operation run_all_to_all(CallContext context, ConstBuffer input, std::vector<int64_t> send_counts,
                         Buffer output, std::vector<int64_t> recv_counts);
Operation run_broadcast(CallContext context, Buffer inout, int root);
Operation run_barrier(CallContext context);
Operation run_send(CallContext context, ConstBuffer input, int peer);
Operation run_recv(CallContext context, Buffer output, int peer);

}  // namespace argosy
