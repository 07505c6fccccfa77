// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"
#include "comm/message/engine.h"
#include "comm/message/transport.h"
#include "comm/window/memory.h"

namespace argosy {

// Where a rank runs, and the memory that it shares with the others there.
struct Node {
  int id = 0;                            // the same on all ranks of the node, and on no other
  std::shared_ptr<WindowMemory> memory;  // null on all ranks of the node or on none
  std::string obstacle;                  // why it is null, if it need not be
};

// Collective over the ranks of the transport. All of Communicator over messages, except that the
// collectives of a group whose ranks are all on one node go through its shared memory. `engine` is
// the rank's one engine, world_rank for messages of errors.
std::unique_ptr<Communicator> make_message_communicator(std::shared_ptr<Transport> transport,
                                                        std::shared_ptr<Engine> engine,
                                                        const Limits& limits, const Node& node,
                                                        int world_rank);

}  // namespace argosy
