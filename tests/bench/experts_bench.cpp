// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The products of experts as one grouped op against a loop of single products, turn by turn in one
// run, at the shapes of the demo's model (H 256, expert width 384, 8 experts, 2 of them for each of
// 1,024 tokens) and of one with many small experts. Rows are spread unevenly: a router's load.
// Prints milliseconds of the fastest turn of each, and their ratio. Run it on a quiet machine:
//   OMP_NUM_THREADS=1 build/bin/experts_bench
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "trainer/device/device_context.h"
#include "trainer/ops/grouped_matmul.h"

namespace argosy {
namespace {

constexpr int kTurns = 30;

struct Case {
  const char* name;
  int64_t num_rows, num_experts, outputs, inputs;
};
constexpr Case kCases[] = {{"demo, gate or up", 2048, 8, 384, 256},
                           {"demo, down", 2048, 8, 256, 384},
                           {"demo, ep 4, gate or up", 2048, 2, 384, 256},
                           {"64 small experts", 2048, 64, 128, 256}};

// Expert e has about twice the rows of the average where e is even, few where it is odd.
std::vector<int64_t> uneven_rows(const Case& c) {
  const int64_t even = 2 * c.num_rows / c.num_experts * 4 / 5;
  const int64_t odd = 2 * c.num_rows / c.num_experts - even;
  std::vector<int64_t> rows;
  for (int64_t e = 0; e < c.num_experts; ++e) rows.push_back(e % 2 == 0 ? even : odd);
  rows.back() += c.num_rows - std::accumulate(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void compare(const char* name, const char* product, DType dtype, const std::function<void()>& loop,
             const std::function<void()>& grouped) {
  double loop_s = std::numeric_limits<double>::infinity(), grouped_s = loop_s;
  for (int turn = 0; turn < kTurns; ++turn) {
    loop_s = std::min(loop_s, seconds_of(loop));
    grouped_s = std::min(grouped_s, seconds_of(grouped));
  }
  std::printf("%-24s %s %-4s  loop %7.3f ms  grouped %7.3f ms  loop/grouped %.2f\n", name, product,
              std::string(to_string(dtype)).c_str(), loop_s * 1e3, grouped_s * 1e3,
              loop_s / grouped_s);
}

Tensor values(DeviceContext& ctx, Shape shape, DType dtype) {
  const Tensor x = ctx.empty(shape, dtype, MemoryCategory::buffers);
  ops::detail::fill_pattern<Device::cpu>(x);
  return x;
}

void measure(const Case& c, DType dtype) {
  DeviceContext ctx(Device::cpu);
  const std::vector<int64_t> rows = uneven_rows(c);
  const Tensor x = values(ctx, {c.num_rows, c.inputs}, dtype);
  const Tensor y = values(ctx, {c.num_rows, c.outputs}, dtype);
  std::vector<Tensor> w, dw;
  for (int64_t e = 0; e < c.num_experts; ++e) {
    w.push_back(values(ctx, {c.outputs, c.inputs}, dtype));
    dw.push_back(values(ctx, {c.outputs, c.inputs}, DType::fp32));
  }
  const auto each = [&](const auto& product) {
    return [&rows, product] {
      int64_t begin = 0;
      for (size_t e = 0; e < rows.size(); begin += rows[e++]) product(e, begin, begin + rows[e]);
    };
  };
  compare(c.name, "nt", dtype, each([&](size_t e, int64_t begin, int64_t end) {
            ops::matmul_nt(ctx, x.rows(begin, end), w[e], y.rows(begin, end));
          }),
          [&] { ops::grouped_matmul_nt(ctx, x, rows, w, y); });
  compare(c.name, "nn", dtype, each([&](size_t e, int64_t begin, int64_t end) {
            ops::matmul_nn(ctx, y.rows(begin, end), w[e], x.rows(begin, end));
          }),
          [&] { ops::grouped_matmul_nn(ctx, y, rows, w, x); });
  compare(c.name, "tn", dtype, each([&](size_t e, int64_t begin, int64_t end) {
            ops::matmul_tn(ctx, y.rows(begin, end), x.rows(begin, end), dw[e],
                           {.accumulate = true});
          }),
          [&] { ops::grouped_matmul_tn(ctx, y, x, rows, dw, {.accumulate = true}); });
}

}  // namespace
}  // namespace argosy

int main() {
  std::printf("%d threads\n", omp_get_max_threads());
  for (const argosy::Case& c : argosy::kCases) {
    for (const argosy::DType dtype : {argosy::DType::fp32, argosy::DType::bf16}) {
      argosy::measure(c, dtype);
    }
  }
  return 0;
}
