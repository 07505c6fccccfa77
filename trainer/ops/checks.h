// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Checks that every op makes once, before it dispatches: a tensor that does not fit is our bug.
#pragma once

#include "planner/spec/check.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// Softmax, norms and losses compute in fp64 for fp64, else in fp32.
inline DType statistic_of(DType dtype) {
  return dtype == DType::fp64 ? DType::fp64 : DType::fp32;
}

inline void check_shape(const char* name, const Tensor& x, const Shape& shape) {
  CHECK(x.defined() && x.shape() == shape, name, " is ", to_string(x.shape()), ", expected ",
        to_string(shape));
}
inline void check_dtype(const char* name, const Tensor& x, DType dtype) {
  CHECK(x.dtype() == dtype, name, " is ", to_string(x.dtype()), ", expected ", to_string(dtype));
}
inline void check_tensor(const char* name, const Tensor& x, const Shape& shape, DType dtype) {
  check_shape(name, x, shape);
  check_dtype(name, x, dtype);
}
// fp64 mixes with nothing; fp32 and bf16 mix.
inline void check_one_precision(const Tensor& a, const Tensor& b, const Tensor& c) {
  const auto is_fp64 = [](const Tensor& x) { return x.dtype() == DType::fp64; };
  const bool any = is_fp64(a) || is_fp64(b) || is_fp64(c);
  CHECK(any == (is_fp64(a) && is_fp64(b) && is_fp64(c)),
        "fp64 mixes with nothing: ", to_string(a.dtype()), " x ", to_string(b.dtype()), " -> ",
        to_string(c.dtype()));
}
inline void check_rank(const char* name, const Tensor& x, int rank) {
  CHECK(x.defined() && x.shape().rank() == rank, name, " is ", to_string(x.shape()), ", expected ",
        rank, " dims");
}

}  // namespace argosy::ops
