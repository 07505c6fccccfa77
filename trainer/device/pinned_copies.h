// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Copies of a device that run beside its ops, out of it and back, into memory of the host that the
// device reaches.
#pragma once

#include <cstdint>

#include "comm/device_streams.h"

namespace argosy {

class PinnedCopies {
 public:
  virtual ~PinnedCopies() = default;
  virtual void* allocate(int64_t bytes) = 0;  // nullptr: the host has not as much left
  virtual void release(void* pinned) noexcept = 0;
  // Put the copy on `queue`. What it reads must not change until it is done.
  virtual void begin(const DeviceQueue& queue, const void* data, void* pinned, int64_t bytes) = 0;
  virtual void begin_upload(const DeviceQueue& queue, const void* pinned, void* data,
                            int64_t bytes) = 0;
};

}  // namespace argosy
