// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/grouped_matmul.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/op_timer.h"

namespace argosy::ops {
namespace {

using detail::GroupProduct;

void check_rows(const char* what, const Tensor& x, const std::vector<int64_t>& rows) {
  check_rank(what, x, 2);
  int64_t sum = 0;
  for (const int64_t count : rows) {
    CHECK(count >= 0, "a group of ", count, " rows");
    sum += count;
  }
  CHECK(sum == x.dim(0), what, " has ", x.dim(0), " rows, its groups ", sum);
}

void check_matrices(const char* what, const std::vector<Tensor>& matrices, size_t num_groups,
                    const Shape& shape) {
  CHECK(matrices.size() == num_groups, matrices.size(), " matrices for ", num_groups, " groups");
  for (const Tensor& matrix : matrices) {
    check_shape(what, matrix, shape);
    CHECK(matrix.dtype() == matrices.front().dtype(), what, ": ", to_string(matrix.dtype()),
          " beside ", to_string(matrices.front().dtype()));
  }
}

void run(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
         const MatmulOptions& options) {
  if (groups.empty()) return;
  const GroupProduct& first = groups.front();
  check_one_precision(first.a, first.b, first.c);
  CHECK(!options.bias.defined(), "grouped products have no bias");
  CHECK(!options.squares.defined() || takes_squares(ctx.device()),
        "squares by a pass of their own");
  const OpTimer timer(ctx, ctx.op_seconds.matmul_s);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::grouped_matmul<D>(ctx, groups, options); });
  for (const auto& [p, a, b, c] : groups) ctx.matmul_flops += 2 * p.m * p.n * p.k;
}

// make(g, begin, end) of each group, whose rows are [begin, end).
template <typename Make>
std::vector<GroupProduct> groups_of(const std::vector<int64_t>& rows, const Make& make) {
  std::vector<GroupProduct> groups;
  int64_t begin = 0;
  for (size_t g = 0; g < rows.size(); begin += rows[g++]) {
    groups.push_back(make(g, begin, begin + rows[g]));
  }
  return groups;
}

}  // namespace

void grouped_matmul_nt(DeviceContext& ctx, const Tensor& x, const std::vector<int64_t>& rows,
                       const std::vector<Tensor>& w, const Tensor& y,
                       const MatmulOptions& options) {
  check_rows("the input", x, rows);
  check_rows("the output", y, rows);
  const int64_t n = y.dim(1), k = x.dim(1);
  check_matrices("a weight", w, rows.size(), {n, k});
  const auto make = [&](size_t g, int64_t begin, int64_t end) {
    return GroupProduct{{.transpose_b = true, .m = rows[g], .n = n, .k = k},
                        x.rows(begin, end),
                        w[g],
                        y.rows(begin, end)};
  };
  run(ctx, groups_of(rows, make), options);
}

void grouped_matmul_nn(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& rows,
                       const std::vector<Tensor>& w, const Tensor& dx,
                       const MatmulOptions& options) {
  check_rows("the output's gradient", dy, rows);
  check_rows("the input's gradient", dx, rows);
  const int64_t n = dx.dim(1), k = dy.dim(1);
  check_matrices("a weight", w, rows.size(), {k, n});
  const auto make = [&](size_t g, int64_t begin, int64_t end) {
    return GroupProduct{
        {.m = rows[g], .n = n, .k = k}, dy.rows(begin, end), w[g], dx.rows(begin, end)};
  };
  run(ctx, groups_of(rows, make), options);
}

void grouped_matmul_tn(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                       const std::vector<int64_t>& rows, const std::vector<Tensor>& dw,
                       const MatmulOptions& options) {
  check_rows("the output's gradient", dy, rows);
  check_rows("the input", x, rows);
  const int64_t m = dy.dim(1), n = x.dim(1);
  check_matrices("a weight's gradient", dw, rows.size(), {m, n});
  const auto make = [&](size_t g, int64_t begin, int64_t end) {
    return GroupProduct{{.transpose_a = true, .m = m, .n = n, .k = rows[g]},
                        dy.rows(begin, end),
                        x.rows(begin, end),
                        dw[g]};
  };
  run(ctx, groups_of(rows, make), options);
}

}  // namespace argosy::ops
