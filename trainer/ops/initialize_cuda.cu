// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The numbers are the CPU's, drawn from the same counters. Uniform ones are equal to the bit;
// normal ones go through the device's logarithm and cosine of doubles, which may differ by an ulp
// (2^-52): rounded to fp32, about one in 10^8 is the neighbour of the CPU's.
#include <cmath>

#include "planner/spec/philox.h"
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/initialize.h"

namespace argosy::ops {
namespace {

enum class Draw { constant, normal, uniform };

template <Draw kDraw, typename T>
struct Fill {
  T* to;
  int64_t first_row, first_col, num_cols, row_elements;  // of the box; row_elements: of the tensor
  uint64_t seed, stream;
  double factor;  // standard deviation, bound, or the constant
  template <int kSize>
  __device__ void run(int64_t i) const {
#pragma unroll
    for (int64_t j = i; j < i + kSize; ++j) {
      const int64_t row = first_row + j / num_cols, col = first_col + j % num_cols;
      double value = factor;
      if constexpr (kDraw != Draw::constant) {
        const PhiloxBlock block =
            philox(seed, static_cast<uint64_t>(row * row_elements + col), stream);
        value *=
            kDraw == Draw::normal ? to_normal(block) : 2 * unit_interval(block[0], block[1]) - 1;
      }
      to[j] = from_float<T>(static_cast<float>(value));
    }
  }
};

template <Draw kDraw>
void fill(const TensorSpec& spec, const Box& box, uint64_t seed, double factor,
          const Tensor& part) {
  dispatch_cuda(part.dtype(), [&]<typename T>() {
    const Fill<kDraw, T> op{part.data<T>(), box.rows.begin, box.cols.begin,       box.cols.size(),
                            spec.cols,      seed,           hash_name(spec.name), factor};
    for_elements<1>(cuda_of(part), "initialize", part.size(), false, op);
  });
}

}  // namespace

template <>
void detail::initialize<Device::cuda>(const TensorSpec& spec, const Box& box, uint64_t seed,
                                      const Tensor& part) {
  switch (spec.init) {
    case Init::zeros:
      return fill<Draw::constant>(spec, box, seed, 0, part);
    case Init::ones:
      return fill<Draw::constant>(spec, box, seed, 1, part);
    case Init::normal:
      return fill<Draw::normal>(spec, box, seed, spec.init_std, part);
    case Init::kaiming_uniform:
      return fill<Draw::uniform>(spec, box, seed, 1.0 / std::sqrt(static_cast<double>(spec.cols)),
                                 part);
  }
}

}  // namespace argosy::ops
