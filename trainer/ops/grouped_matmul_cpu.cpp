// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Groups are cut into tasks of about equal work, and threads take one task after the other: unequal
// groups keep all threads busy, and a task is one product on one thread, whose operands stay in its
// core's cache. Where it is cut follows from the shapes alone, so that the number of threads
// changes no bit. bf16 goes to our own kernels instead, which cut groups by themselves. fp64 runs
// group by group: proofs need no speed.
#include <omp.h>

#include <algorithm>
#include <exception>
#include <tuple>
#include <utility>

#include "planner/spec/bfloat16.h"
#include "planner/spec/mesh.h"
#include "trainer/ops/few_rows_product.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/packed_product.h"

namespace argosy::ops::detail {
namespace {

// About 1 ms of a core: long against waking a thread, short against a training step.
constexpr int64_t kTaskFlops = int64_t{1} << 27;
constexpr int64_t kFewestRows = 128;  // fewer would pack the other operand for too little work

// Rows of one group's output.
struct Task {
  const GroupProduct* group;
  Range rows;
};

std::vector<Task> tasks_of(const std::vector<GroupProduct>& groups) {
  std::vector<Task> tasks;
  for (const GroupProduct& group : groups) {
    const auto& [m, n, k] = std::tie(group.product.m, group.product.n, group.product.k);
    if (m == 0 || n == 0) continue;
    const int64_t most = std::max(kFewestRows, kTaskFlops / (2 * n * std::max<int64_t>(k, 1)));
    const int64_t count = (m + most - 1) / most;
    for (int64_t i = 0; i < count; ++i) tasks.push_back({&group, split_range(m, count, i)});
  }
  return tasks;
}

void widen(const bfloat16* from, int64_t size, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = static_cast<float>(from[i]);
}

void narrow(const float* from, int64_t size, bfloat16* to) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) to[i] = bfloat16(from[i]);
}

// A part of a matrix in fp32: element (row, col) is data[row * stride + col].
struct Operand {
  const float* data;
  int64_t stride;
};

bool is_fp32(const Tensor& x) {
  return x.dtype() == DType::fp32;
}

// The part itself, or a copy of it in `scratch`, which moves on behind it.
Operand operand_of(const Tensor& x, Range rows, Range cols, float*& scratch) {
  const int64_t stride = x.dim(1), begin = rows.begin * stride + cols.begin;
  if (is_fp32(x)) return {x.data<float>() + begin, stride};
  float* copy = scratch;
  scratch += rows.size() * cols.size();
  for (int64_t row = 0; row < rows.size(); ++row) {
    widen(x.data<bfloat16>() + begin + row * stride, cols.size(), copy + row * cols.size());
  }
  return {copy, cols.size()};
}

// Floats that run() copies to.
int64_t scratch_size(const Task& task) {
  const auto& [p, a, b, c] = *task.group;
  const int64_t rows = task.rows.size();
  return (is_fp32(a) ? 0 : rows * p.k) + (is_fp32(b) ? 0 : p.k * p.n) +
         (is_fp32(c) ? 0 : rows * p.n);
}

void run(const Task& task, const MatmulOptions& options, float* scratch) {
  const auto& [whole, a, b, c] = *task.group;
  Product p = whole;
  p.m = task.rows.size();
  const Range inner = {0, p.k}, columns = {0, p.n};
  const Operand left = p.transpose_a ? operand_of(a, inner, task.rows, scratch)
                                     : operand_of(a, task.rows, inner, scratch);
  const Operand right = p.transpose_b ? operand_of(b, columns, inner, scratch)
                                      : operand_of(b, inner, columns, scratch);
  const int64_t begin = task.rows.begin * p.n, size = p.m * p.n;
  float* out = is_fp32(c) ? c.data<float>() + begin : scratch;
  if (!is_fp32(c) && options.accumulate) widen(c.data<bfloat16>() + begin, size, out);
  if (p.k > 0) {
    sgemm(p, options, left.data, left.stride, right.data, right.stride, out);
  } else if (!options.accumulate) {
    std::fill_n(out, size, 0.0f);
  }
  if (!is_fp32(c)) narrow(out, size, c.data<bfloat16>() + begin);
}

}  // namespace

template <>
void grouped_matmul<Device::cpu>(DeviceContext& ctx, const std::vector<GroupProduct>& all,
                                 const MatmulOptions& options) {
  std::vector<GroupProduct> groups;  // those that share threads
  groups.reserve(all.size());
  for (const GroupProduct& group : all) {
    const auto& [p, a, b, c] = group;
    // Of a few rows a product waits for its weight, with all threads.
    if (c.dtype() == DType::fp64 || has_few_rows(p, c)) {
      matmul<Device::cpu>(ctx, p, a, b, c, options);
    } else {
      groups.push_back(group);
    }
  }
  if (groups.empty()) return;
  const GroupProduct& first = groups.front();
  if (const CpuKernel* kernel = packed_kernel(first.a, first.b, first.c)) {
    std::vector<PackedProduct> products;
    for (const auto& [p, a, b, c] : groups) {
      if (p.m > 0 && p.n > 0) products.push_back(packed_product(p, a, b, c));
    }
    if (options.squares.defined()) {
      packed_products_with_squares(ctx, *kernel, std::move(products), options);
    } else {
      packed_products(ctx, *kernel, products, static_cast<float>(options.alpha),
                      options.accumulate);
    }
    return;
  }
  CHECK(!options.squares.defined(), "squares of products of ", to_string(first.a.dtype()));
  const std::vector<Task> tasks = tasks_of(groups);
  const auto num_tasks = static_cast<int64_t>(tasks.size());
  const int64_t num_threads = omp_get_max_threads();
  int64_t scratch_elements = 0;  // of one thread
  for (const Task& task : tasks) scratch_elements = std::max(scratch_elements, scratch_size(task));
  const Tensor scratch =
      ctx.empty({num_threads, scratch_elements}, DType::fp32, MemoryCategory::workspace);
  std::exception_ptr error;
  // Always a team, if of one: inside of it a product runs on its own thread alone.
#pragma omp parallel for schedule(dynamic) num_threads(num_threads)
  for (int64_t i = 0; i < num_tasks; ++i) {
    try {
      run(tasks[static_cast<size_t>(i)], options,
          scratch.data<float>() + omp_get_thread_num() * scratch_elements);
    } catch (...) {
#pragma omp critical(grouped_matmul_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace argosy::ops::detail
