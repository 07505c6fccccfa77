// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>

#include "planner/spec/philox.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/initialize.h"

namespace argosy::ops {

namespace {

// Threads are worth starting for fewer elements than elsewhere: a normal number takes about 40 ns,
// as long as 8 elements of other loops.
constexpr int64_t kWorkOfDraw = 8;

// part[r, c] = value(global index of the element) for the box; T is rounded once from double, and
// bf16 by way of fp32 (so that it equals the fp32 master weight rounded to bf16).
template <typename T, typename ValueOf>
void fill_box(const TensorSpec& spec, const Box& box, T* part, const ValueOf& value_of) {
  const int64_t num_cols = box.cols.size();
  for_blocks(box.size(), kElementBlock, kWorkOfDraw, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {  // row by row: a division an element would cost as much
      const int64_t row = i / num_cols, row_end = std::min(end, (row + 1) * num_cols);
      const int64_t first = (box.rows.begin + row) * spec.cols + box.cols.begin - row * num_cols;
      for (; i < row_end; ++i) part[i] = static_cast<T>(value_of(static_cast<uint64_t>(first + i)));
    }
  });
}

}  // namespace

template <>
void detail::initialize<Device::cpu>(const TensorSpec& spec, const Box& box, uint64_t seed,
                                     const Tensor& part) {
  const uint64_t stream = hash_name(spec.name);
  const double bound = 1.0 / std::sqrt(static_cast<double>(spec.cols));
  dispatch_float(part.dtype(), [&]<typename T>() {
    T* to = part.data<T>();
    switch (spec.init) {
      case Init::zeros:
        return fill_box(spec, box, to, [](uint64_t) { return 0.0; });
      case Init::ones:
        return fill_box(spec, box, to, [](uint64_t) { return 1.0; });
      case Init::normal:
        return fill_box(spec, box, to, [&](uint64_t index) {
          return spec.init_std * standard_normal(seed, stream, index);
        });
      case Init::kaiming_uniform:
        return fill_box(spec, box, to, [&](uint64_t index) {
          return bound * (2 * uniform(seed, stream, index) - 1);
        });
    }
  });
}

}  // namespace argosy::ops
