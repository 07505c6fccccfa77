// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// What an op checks about its operands, once per call. A mismatch is our own mistake: CHECK throws.
#pragma once

#include <initializer_list>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

inline bool is_floating(DType dtype) {
  return dtype != DType::int32;
}

// The dtype of softmax, norms, router and loss for tensors of `dtype`; also that of gradients.
inline DType statistic_of(DType dtype) {
  return dtype == DType::fp64 ? DType::fp64 : DType::fp32;
}

inline void expect_shape(const Tensor& x, const Shape& shape, std::string_view name) {
  CHECK(x.shape() == shape, name, " is ", to_string(x.shape()), ", not ", to_string(shape));
}

inline void expect_dtype(const Tensor& x, DType dtype, std::string_view name) {
  CHECK(x.dtype() == dtype, name, " is ", to_string(x.dtype()), ", not ", to_string(dtype));
}

inline void expect_floating(const Tensor& x, std::string_view name) {
  CHECK(is_floating(x.dtype()), name, " is ", to_string(x.dtype()));
}

// `tensors` live on the device of `ctx`.
inline void expect_device(const DeviceContext& ctx, std::initializer_list<Tensor> tensors) {
  for (const Tensor& x : tensors) {
    CHECK(!x.defined() || x.device() == ctx.device(), "a tensor on ", to_string(x.device()),
          " in an op on ", to_string(ctx.device()));
  }
}

}  // namespace argosy::ops
