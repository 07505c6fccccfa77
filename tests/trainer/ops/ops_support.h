// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// What tests of ops share: tensors from values and back, random values, differences, and finite
// differences. Values are doubles everywhere, whatever the tensor's dtype.
#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "planner/spec/bfloat16.h"
#include "trainer/device/device_context.h"

namespace argosy {

using Values = std::vector<double>;
inline constexpr double kPoison = std::numeric_limits<double>::quiet_NaN();

// Calls body(T*) with the tensor's memory.
template <typename Body>
void with_data(const Tensor& x, Body&& body) {
  switch (x.dtype()) {
    case DType::fp64:
      return body(x.data<double>());
    case DType::fp32:
      return body(x.data<float>());
    case DType::bf16:
      return body(x.data<bfloat16>());
    case DType::int32:
      return body(x.data<int32_t>());
    case DType::int16:
      return body(x.data<int16_t>());
    case DType::uint8:
      return body(x.data<uint8_t>());
  }
}

inline void set_values(const Tensor& x, const Values& values) {
  ASSERT_EQ(x.size(), static_cast<int64_t>(values.size()));
  with_data(x, [&]<typename T>(T* out) {
    for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<T>(values[i]);
  });
}
inline Tensor make(DeviceContext& ctx, Shape shape, DType dtype, const Values& values) {
  const Tensor x = ctx.empty(shape, dtype, MemoryCategory::buffers);
  set_values(x, values);
  return x;
}
inline Tensor filled(DeviceContext& ctx, Shape shape, DType dtype, double value) {
  return make(ctx, shape, dtype, Values(static_cast<size_t>(shape.size()), value));
}
inline Values values_of(const Tensor& x) {
  Values values(static_cast<size_t>(x.size()));
  with_data(x, [&](const auto* in) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(in[i]);
  });
  return values;
}

// Uniform in +-[0.1, 1): no zeros. Rounded to bf16, so that every dtype starts from equal values.
inline Values random_values(int64_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> magnitude(0.1, 1.0);
  Values values(static_cast<size_t>(size));
  for (double& v : values) {
    const bool negative = (generator() & 1u) != 0;
    const double m = magnitude(generator);
    v = static_cast<double>(bfloat16(negative ? -m : m));
  }
  return values;
}

// max |a-b| / max(max |b|, 1e-3); NaN or different sizes give infinity.
inline double relative_error(const Values& a, const Values& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, largest = 1e-3;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference / largest;
}

inline double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// d objective / d values by central differences; in fp64 the error is about 1e-9.
inline Values numeric_gradient(const std::function<double(const Values&)>& objective, Values at) {
  constexpr double kStep = 1e-5;
  Values gradient(at.size());
  for (size_t i = 0; i < at.size(); ++i) {
    const double kept = at[i];
    at[i] = kept + kStep;
    const double above = objective(at);
    at[i] = kept - kStep;
    const double below = objective(at);
    at[i] = kept;
    gradient[i] = (above - below) / (2 * kStep);
  }
  return gradient;
}
inline constexpr double kGradientTolerance = 1e-7;

// A tolerance for results that went through the dtype once or twice.
inline double tolerance_of(DType dtype) {
  return dtype == DType::fp64 ? 1e-13 : dtype == DType::fp32 ? 3e-6 : 1.2e-2;
}

// Runs `body` on one and on two threads; the values must agree to the bit.
inline void expect_same_on_any_threads(const std::function<Values()>& body) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Values one = body();
  omp_set_num_threads(2);
  const Values two = body();
  omp_set_num_threads(3);
  const Values three = body();
  omp_set_num_threads(threads);
  EXPECT_EQ(one, two);
  EXPECT_EQ(one, three);
}

}  // namespace argosy
