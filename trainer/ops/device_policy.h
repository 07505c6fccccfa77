// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run allows its device, and what the device could not do in the fast way.
#pragma once

#include <string>
#include <vector>

#include "trainer/device/device_context.h"

namespace argosy::ops {

struct DevicePolicy {
  bool allow_tf32 = false;       // fp32 products may round operands to 10 bits of mantissa
  bool is_deterministic = true;  // a second run gives the same bits
};
// Throws ConfigError where the device has no such choice: a CPU is exact and deterministic always.
void apply_policy(DeviceContext& ctx, const DevicePolicy& policy);

// One line for each shape that a library refused so far, with its reason and what runs instead.
std::vector<std::string> slow_paths(DeviceContext& ctx);

namespace detail {
template <Device D>
void apply_policy(DeviceContext& ctx, const DevicePolicy& policy);
template <Device D>
std::vector<std::string> slow_paths(DeviceContext& ctx);
}  // namespace detail

}  // namespace argosy::ops
