// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/check.h"
#include "trainer/ops/device_policy.h"

namespace argosy::ops::detail {

template <>
void apply_policy<Device::cpu>(DeviceContext&, const DevicePolicy& policy) {
  if (policy.allow_tf32) {
    throw ConfigError(
        "--allow-tf32: CPUs multiply fp32 exactly; valid: with --device cuda --precision fp32");
  }
  if (!policy.is_deterministic) {
    throw ConfigError(
        "--deterministic off: CPUs repeat to the bit at no cost; valid: with --device cuda");
  }
}

template <>
std::vector<std::string> slow_paths<Device::cpu>(DeviceContext&) {
  return {};
}

}  // namespace argosy::ops::detail
