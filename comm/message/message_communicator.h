// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/message/engine.h"
#include "comm/message/transport.h"

namespace argosy {

// All of Communicator over a transport of messages. `engine` is the rank's one engine.
std::unique_ptr<Communicator> make_message_communicator(std::shared_ptr<Transport> transport,
                                                        std::shared_ptr<Engine> engine,
                                                        const Limits& limits);

}  // namespace argosy
