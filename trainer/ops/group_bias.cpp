// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/group_bias.h"

#include <numeric>

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

// Checks them, and says where each group ends.
std::vector<int64_t> checked_ends(const std::vector<int64_t>& rows, const Tensor& x,
                                  const char* what, const std::vector<Tensor>& biases,
                                  DType dtype) {
  check_rank("the rows", x, 2);
  CHECK(biases.size() == rows.size(), biases.size(), " biases for ", rows.size(), " groups");
  for (const int64_t count : rows) CHECK(count >= 0, "a group of ", count, " rows");
  for (const Tensor& bias : biases) check_tensor(what, bias, {x.dim(1)}, dtype);
  std::vector<int64_t> ends(rows.size());
  std::partial_sum(rows.begin(), rows.end(), ends.begin());
  const int64_t sum = ends.empty() ? 0 : ends.back();
  CHECK(sum == x.dim(0), x.dim(0), " rows, in groups ", sum);
  return ends;
}

}  // namespace

void add_group_biases(DeviceContext& ctx, const std::vector<Tensor>& biases,
                      const std::vector<int64_t>& rows, const Tensor& y) {
  const std::vector<int64_t> ends = checked_ends(rows, y, "a bias", biases, y.dtype());
  if (y.size() == 0) return;
  dispatch_device(ctx.device(), [&]<Device D>() { detail::add_group_biases<D>(biases, ends, y); });
}

void group_biases_backward(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& rows,
                           const std::vector<Tensor>& dbiases) {
  const std::vector<int64_t> ends =
      checked_ends(rows, dy, "a bias's gradient", dbiases, statistic_of(dy.dtype()));
  if (dy.size() == 0) return;
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::group_biases_backward<D>(ctx, dy, ends, dbiases); });
}

}  // namespace argosy::ops
