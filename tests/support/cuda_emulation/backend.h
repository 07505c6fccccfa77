// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "trainer/device/device_backend.h"

namespace argosy::cuda_emulation {

// A device whose memory is the host's: DeviceContext(Device::cuda, make_backend()).
std::unique_ptr<DeviceBackend> make_backend();

}  // namespace argosy::cuda_emulation
