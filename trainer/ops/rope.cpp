// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/rope.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

RopeTable make_rope_table(DeviceContext& ctx, const std::vector<double>& inverse_frequencies,
                          int64_t num_positions, DType statistic, double factor) {
  CHECK(statistic == statistic_of(statistic), "a table in ", to_string(statistic));
  const Shape shape{num_positions, static_cast<int64_t>(inverse_frequencies.size())};
  RopeTable table{ctx.empty(shape, statistic, MemoryCategory::buffers),
                  ctx.empty(shape, statistic, MemoryCategory::buffers)};
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::fill_rope_table<D>(inverse_frequencies, factor, table);
  });
  return table;
}

void rope(DeviceContext& ctx, const Tensor& x, const RopePart& part, const Tensor& positions,
          const RopeTable& table, bool inverse) {
  check_rank("x", x, 2);
  check_rank("the table", table.cos, 2);
  check_tensor("the table of sines", table.sin, table.cos.shape(), statistic_of(x.dtype()));
  check_dtype("the table of cosines", table.cos, statistic_of(x.dtype()));
  CHECK(part.begin >= 0 && part.size > 0 && part.begin + part.size <= part.head_dim, "elements ",
        part.begin, " to ", part.begin + part.size, " of a head of ", part.head_dim);
  CHECK(x.dim(1) > 0 && x.dim(1) % part.head_dim == 0 && part.size == 2 * table.cos.dim(1), "x is ",
        to_string(x.shape()), " in heads of ", part.head_dim, ", of which ", part.size,
        " turn, the table ", to_string(table.cos.shape()));
  check_tensor("positions", positions, {x.dim(0)}, DType::int32);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::rope<D>(x, part, positions, table, inverse); });
}

}  // namespace argosy::ops
