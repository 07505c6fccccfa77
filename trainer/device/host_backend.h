// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The host's memory beside a device, for what is offloaded: the host's cores compute with it, as
// DeviceContext(Device::cpu, make_host_backend(device)), and its bytes are counted apart.
#pragma once

#include <memory>

#include "trainer/device/device_backend.h"

namespace argosy {

// Memory that the device's copies reach: pinned, where it has copies of its own
// (PinnedCopies). The device must outlive it.
std::unique_ptr<DeviceBackend> make_host_backend(DeviceBackend& device);

// Memory of this machine that a process can still have, other processes' idle caches included, and
// no more than its control group leaves.
int64_t available_host_bytes();

}  // namespace argosy
