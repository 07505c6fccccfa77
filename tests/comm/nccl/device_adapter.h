// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The conformance checks hand over memory of the host. This communicator copies it to a device,
// calls another one there, and copies the result back.
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "trainer/device/device_context.h"

namespace argosy {

std::unique_ptr<Communicator> make_device_adapter(std::unique_ptr<Communicator> inner,
                                                  DeviceContext& device);

}  // namespace argosy
