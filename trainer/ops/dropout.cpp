// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/dropout.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void dropout(DeviceContext& ctx, const Tensor& x, const Tensor& row_ids, const DropoutKey& key,
             double p) {
  check_rank("x", x, 2);
  check_tensor("row_ids", row_ids, {x.dim(0)}, DType::int32);
  check_tensor("step", key.step, {1}, DType::int32);
  CHECK(p >= 0 && p < 1, "probability ", p);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::dropout<D>(x, row_ids, key, p); });
}

}  // namespace argosy::ops
