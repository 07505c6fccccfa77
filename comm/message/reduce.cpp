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

// output[i] = totals[i] (op) last[i]. The output may be one of the inputs: element by element,
// which GCC has to be told, or it leaves the loop scalar where they are the same memory.
template <typename Op, typename A, typename T>
void combine_last(const A* totals, const T* last, T* output, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    output[i] =
        static_cast<T>(Op::combine(static_cast<typename Accumulator<T>::type>(totals[i]), last[i]));
  }
}

template <typename T, typename Op>
void reduce_typed(std::span<const void* const> inputs, T* output, int64_t count) {
  using A = typename Accumulator<T>::type;
  const auto input = [&](size_t k, int64_t begin) {
    return static_cast<const T*>(inputs[k]) + begin;
  };
  if (inputs.size() == 1) {
    std::copy_n(input(0, 0), input(0, 0) == output ? 0 : count, output);
    return;
  }
  const size_t last = inputs.size() - 1;
  if (last == 1) return combine_last<Op>(input(0, 0), input(1, 0), output, count);
  A totals[kTile];
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t n = std::min(kTile, count - begin);
    const T *first = input(0, begin), *second = input(1, begin);
    for (int64_t i = 0; i < n; ++i) totals[i] = Op::combine(static_cast<A>(first[i]), second[i]);
    for (size_t k = 2; k < last; ++k) {
      const T* next = input(k, begin);
      for (int64_t i = 0; i < n; ++i) totals[i] = Op::combine(totals[i], next[i]);
    }
    combine_last<Op>(totals, input(last, begin), output + begin, n);
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
    case DType::int16:
    case DType::uint8:
      break;  // no sum of these has a meaning
  }
  CHECK(false, "dtype ", static_cast<int>(dtype));
}

}  // namespace argosy
