// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// What ids are sorted by: id - first, or `count` for those outside of [first, first + count).
struct SortKeys {
  const int32_t* ids = nullptr;
  int64_t first = 0, count = 0;
};

// order (n) int32: 0..n-1 sorted by key, stable. On CUDA; order may not be the ids.
void sort_by_key(DeviceContext& ctx, const SortKeys& keys, const Tensor& order);

}  // namespace argosy::ops
