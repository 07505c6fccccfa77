// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/device_policy.h"

#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void apply_policy(DeviceContext& ctx, const DevicePolicy& policy) {
  dispatch_device(ctx.device(), [&]<Device D>() { detail::apply_policy<D>(ctx, policy); });
}

std::vector<std::string> slow_paths(DeviceContext& ctx) {
  return dispatch_device(ctx.device(), [&]<Device D>() { return detail::slow_paths<D>(ctx); });
}

}  // namespace argosy::ops
