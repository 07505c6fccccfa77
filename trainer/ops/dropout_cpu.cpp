// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>

#include "planner/spec/philox.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/dropout.h"

namespace argosy::ops {

namespace {

// Numbers of 32 bits in one Philox block: one a channel.
constexpr int64_t kBlock = 4;

}  // namespace

template <>
void detail::dropout<Device::cpu>(const Tensor& x, const Tensor& row_ids,
                                  const DropoutKey& of_steps, double p) {
  const uint64_t key = random_bits(of_steps.seed, of_steps.stream,
                                   static_cast<uint64_t>(int64_t{*of_steps.step.data<int32_t>()}));
  const int64_t num_cols = x.dim(1);
  const auto threshold = static_cast<uint32_t>(p * 0x1p32);  // below it: dropped
  const int32_t* ids = row_ids.data<int32_t>();              // (N)
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const A scale = static_cast<A>(1 / (1 - p));
    for_rows(x.dim(0), num_cols, [&](int64_t i) {
      T* row = x.data<T>() + i * num_cols;
      for (int64_t c = 0; c < num_cols; c += kBlock) {
        const PhiloxBlock bits =
            philox(key, static_cast<uint64_t>(ids[i]), static_cast<uint64_t>(c / kBlock));
        const int64_t size = std::min(kBlock, num_cols - c);
        for (int64_t j = 0; j < size; ++j) {
          const bool kept = bits[static_cast<size_t>(j)] >= threshold;
          row[c + j] = kept ? T(A(row[c + j]) * scale) : T(A(0));
        }
      }
    });
  });
}

}  // namespace argosy::ops
