// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/group_bias.h"

#include <algorithm>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops::detail {

template <>
void add_group_biases<Device::cpu>(const std::vector<Tensor>& biases,
                                   const std::vector<int64_t>& ends, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = y.dim(1);
    const VectorRows* vectors = vector_rows_of<T>();
    for_rows(y.dim(0), num_cols, [&](int64_t row) {
      const auto group = std::upper_bound(ends.begin(), ends.end(), row) - ends.begin();
      const T* bias = biases[static_cast<size_t>(group)].data<T>();  // (N)
      T* to = y.data<T>() + row * num_cols;
      if (vectors != nullptr) return vectors->add(bf16(bias), bf16(to), num_cols);
#pragma omp simd
      for (int64_t c = 0; c < num_cols; ++c) {
        store(to[c], static_cast<A>(to[c]) + static_cast<A>(bias[c]));
      }
    });
  });
}

template <>
void group_biases_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy,
                                        const std::vector<int64_t>& ends,
                                        const std::vector<Tensor>& dbiases) {
  int64_t begin = 0;
  for (size_t g = 0; g < ends.size(); begin = ends[g++]) {
    bias_backward<Device::cpu>(ctx, dy.rows(begin, ends[g]), dbiases[g]);
  }
}

}  // namespace argosy::ops::detail
