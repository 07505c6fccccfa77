// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/initialize.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void initialize(DeviceContext& ctx, const TensorSpec& spec, const Box& box, uint64_t seed,
                const Tensor& part) {
  CHECK(part.size() == box.size(), spec.name, ": a part of ", part.size(),
        " elements for a box of ", box.size());
  CHECK(box.empty() || (box.rows.begin >= 0 && box.rows.end <= spec.rows && box.cols.begin >= 0 &&
                        box.cols.end <= spec.cols),
        spec.name, ": the box ends at (", box.rows.end, ", ", box.cols.end, ") of (", spec.rows,
        ", ", spec.cols, ")");
  dispatch_device(ctx.device(), [&]<Device D>() { detail::initialize<D>(spec, box, seed, part); });
}

}  // namespace argosy::ops
