// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// A fixture for tests of ops: one CPU, tensors on it, and finite differences in place.
#pragma once

#include <algorithm>

#include "planner/spec/philox.h"
#include "tests/trainer/ops/ops_support.h"

namespace argosy {

class OpTest : public ::testing::Test {
 protected:
  Tensor make(Shape shape, DType dtype, const Values& values) {
    return argosy::make(ctx, shape, dtype, values);
  }
  Tensor ids(Shape shape, const Values& values) { return make(shape, DType::int32, values); }
  // Standard normal numbers of stream `stream`.
  Tensor random(Shape shape, DType dtype, uint64_t stream) {
    Values values(static_cast<size_t>(shape.size()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = standard_normal(7, stream, i);
    return make(shape, dtype, values);
  }
  // What an op that overwrites must not let through.
  Tensor poisoned(Shape shape, DType dtype) {
    return filled(ctx, shape, dtype, dtype == DType::int32 ? -99 : kPoison);
  }
  DeviceContext ctx{Device::cpu};
};

inline void expect_near(const Values& got, const Values& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << "at " << i;
  }
}

// `gradient` equals the central differences of loss(), which reads x (fp64), in every element of x.
inline void expect_gradient(const Tensor& x, const Values& gradient,
                            const std::function<double()>& loss) {
  const Values kept = values_of(x);
  const Values expected = numeric_gradient(
      [&](const Values& at) {
        set_values(x, at);
        return loss();
      },
      kept);
  set_values(x, kept);
  expect_near(gradient, expected, kGradientTolerance);
}

}  // namespace argosy
