// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/reduce.h"

#include <algorithm>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Elements accumulated at a time: small enough for the L1 cache, long enough for vectors.
constexpr int64_t kTile = 1024;

// What a sum is kept in until it is rounded to the storage type.
template <typename T>
struct Accumulator {
  using type = T;
};
template <>
struct Accumulator<bfloat16> {
  using type = float;
};
template <>
struct Accumulator<int32_t> {
  using type = uint32_t;  // wraps around without undefined behaviour; max converts back
};

struct Sum {
  template <typename A, typename T>
  static A combine(A total, T value) {
    return total + static_cast<A>(value);
  }
};
struct Max {
  template <typename A, typename T>
  static A combine(A best, T value) {
    if constexpr (std::is_same_v<T, int32_t>) {
      return static_cast<A>(std::max(static_cast<int32_t>(best), value));
    } else {
      const A candidate = static_cast<A>(value);
      return candidate > best || candidate != candidate ? candidate : best;
    }
  }
};

template <typename T, typename Op>
void reduce_typed(std::span<const void* const> inputs, T* output, int64_t count) {
  using A = typename Accumulator<T>::type;
  A totals[kTile];
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t n = std::min(kTile, count - begin);
    const T* first = static_cast<const T*>(inputs[0]) + begin;
    for (int64_t i = 0; i < n; ++i) totals[i] = static_cast<A>(first[i]);
    for (size_t k = 1; k < inputs.size(); ++k) {
      const T* next = static_cast<const T*>(inputs[k]) + begin;
      for (int64_t i = 0; i < n; ++i) totals[i] = Op::combine(totals[i], next[i]);
    }
    for (int64_t i = 0; i < n; ++i) output[begin + i] = static_cast<T>(totals[i]);
  }
}

template <typename T>
void reduce_op(std::span<const void* const> inputs, void* output, int64_t count, ReduceOp op) {
  T* typed = static_cast<T*>(output);
  if (op == ReduceOp::sum) return reduce_typed<T, Sum>(inputs, typed, count);
  reduce_typed<T, Max>(inputs, typed, count);
}

}  // namespace

void reduce_in_order(std::span<const void* const> inputs, void* output, int64_t count, DType dtype,
                     ReduceOp op) {
  CHECK(!inputs.empty() && count >= 0, inputs.size(), " inputs of ", count);
  switch (dtype) {
    case DType::fp64:
      return reduce_op<double>(inputs, output, count, op);
    case DType::fp32:
      return reduce_op<float>(inputs, output, count, op);
    case DType::bf16:
      return reduce_op<bfloat16>(inputs, output, count, op);
    case DType::int32:
      return reduce_op<int32_t>(inputs, output, count, op);
  }
  CHECK(false, "dtype ", static_cast<int>(dtype));
}

}  // namespace argosy
