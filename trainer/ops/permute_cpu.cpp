// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cstring>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/permute.h"

namespace argosy::ops {

template <>
void detail::drop_beyond_capacity<Device::cpu>(const Tensor& tokens, const Tensor& experts,
                                               int64_t num_experts, int64_t seq_len,
                                               int64_t capacity, int64_t first,
                                               const Tensor& routed) {
  const int64_t num_tokens = tokens.size(), k = experts.dim(1), num_local = routed.dim(0);
  std::vector<int64_t> row_of(static_cast<size_t>(num_tokens));  // by index of the token
  for (int64_t row = 0; row < num_tokens; ++row) {
    row_of[static_cast<size_t>(tokens.data<int32_t>()[row])] = row;
  }
  std::vector<int64_t> taken(static_cast<size_t>(num_experts));  // by the sequence's tokens so far
  for (int64_t token = 0; token < num_tokens; ++token) {
    if (token % seq_len == 0) std::fill(taken.begin(), taken.end(), 0);
    const int64_t row = row_of[static_cast<size_t>(token)];
    const bool is_local = row >= first && row < first + num_local;
    for (int64_t j = 0; j < k; ++j) {
      const int32_t expert = experts.data<int32_t>()[row * k + j];
      const bool fits = taken[static_cast<size_t>(expert)]++ < capacity;
      if (is_local) routed.data<int32_t>()[(row - first) * k + j] = fits ? expert : -1;
    }
  }
}

template <>
std::vector<int64_t> detail::sort_by_expert<Device::cpu>(const Tensor& experts, int64_t num_experts,
                                                         const Tensor& order) {
  const int64_t num_slots = experts.size();
  const int32_t* expert = experts.data<int32_t>();  // (s,k) = (m)
  std::vector<int64_t> counts(static_cast<size_t>(num_experts), 0);
  for (int64_t slot = 0; slot < num_slots; ++slot) {
    CHECK(expert[slot] >= -1 && expert[slot] < num_experts, "expert ", expert[slot], " of ",
          num_experts);
    if (expert[slot] >= 0) ++counts[static_cast<size_t>(expert[slot])];
  }
  // Where the next slot of each expert goes; behind the last expert, those of none.
  std::vector<int64_t> next(counts.size() + 1, 0);
  for (size_t e = 1; e < next.size(); ++e) next[e] = next[e - 1] + counts[e - 1];
  for (int64_t slot = 0; slot < num_slots; ++slot) {
    const size_t e = expert[slot] >= 0 ? static_cast<size_t>(expert[slot]) : counts.size();
    order.data<int32_t>()[next[e]++] = static_cast<int32_t>(slot);
  }
  return counts;
}

template <>
void detail::invert<Device::cpu>(const Tensor& order, const Tensor& position) {
  const int32_t* slot = order.data<int32_t>();
  for (int64_t i = 0; i < order.size(); ++i) {
    position.data<int32_t>()[slot[i]] = static_cast<int32_t>(i);
  }
}

namespace {

// to[to_row(i)] = from[from_row(i)] for i in [0, num_rows); rows of `to` are distinct.
template <typename FromRow, typename ToRow>
void copy_rows(const Tensor& from, const Tensor& to, int64_t num_rows, const FromRow& from_row,
               const ToRow& to_row) {
  const int64_t row_bytes = to.dim(1) * size_in_bytes(to.dtype());
  for_rows(num_rows, to.dim(1), [&](int64_t i) {
    std::memcpy(static_cast<char*>(to.raw()) + to_row(i) * row_bytes,
                static_cast<const char*>(from.raw()) + from_row(i) * row_bytes,
                static_cast<size_t>(row_bytes));
  });
}

// Columns that are summed at a time, in registers or the level-1 cache.
constexpr int64_t kChunk = 256;

// sum (end - begin) = sum over j of weight(j) * rows[position[j]][begin..end), in order of j,
// without positions beyond the rows (slots that were not kept).
template <typename T, typename WeightOf>
void sum_slots(const Tensor& many, const int32_t* position, int64_t k, int64_t begin, int64_t end,
               const WeightOf& weight_of, Accumulator<T>* sum) {
  const T* rows = many.data<T>();
  const int64_t num_rows = many.dim(0), num_cols = many.dim(1);
  std::fill(sum, sum + (end - begin), Accumulator<T>(0));
  for (int64_t j = 0; j < k; ++j) {
    if (position[j] >= num_rows) continue;
    const T* from = rows + position[j] * num_cols;
    const Accumulator<T> weight = weight_of(j);
#pragma omp simd
    for (int64_t c = begin; c < end; ++c) {
      sum[c - begin] += weight * static_cast<Accumulator<T>>(from[c]);
    }
  }
}

}  // namespace

template <>
void detail::dispatch_rows<Device::cpu>(const Tensor& x, const Tensor& order, int64_t k,
                                        const Tensor& y) {
  const int32_t* slot = order.data<int32_t>();
  copy_rows(
      x, y, y.dim(0), [=](int64_t i) { return slot[i] / k; }, [](int64_t i) { return i; });
}

template <>
void detail::dispatch_rows_backward<Device::cpu>(const Tensor& drows, const Tensor& position,
                                                 int64_t k, const Tensor& dx) {
  dispatch_float(dx.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = dx.dim(1);
    for_rows(dx.dim(0), num_cols * k, [&](int64_t t) {
      T* to = dx.data<T>() + t * num_cols;
      A sum[kChunk];
      for (int64_t begin = 0; begin < num_cols; begin += kChunk) {
        const int64_t end = std::min(num_cols, begin + kChunk);
        sum_slots<T>(
            drows, position.data<int32_t>() + t * k, k, begin, end, [](int64_t) { return A(1); },
            sum);
#pragma omp simd
        for (int64_t c = begin; c < end; ++c) {
          store(to[c], static_cast<A>(to[c]) + sum[c - begin]);
        }
      }
    });
  });
}

template <>
void detail::combine_rows<Device::cpu>(const Tensor& rows, const Tensor& position,
                                       const Tensor& weights, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = y.dim(1), k = weights.dim(1);
    for_rows(y.dim(0), num_cols * k, [&](int64_t t) {
      const A* weight = weights.data<A>() + t * k;
      T* to = y.data<T>() + t * num_cols;
      A sum[kChunk];
      for (int64_t begin = 0; begin < num_cols; begin += kChunk) {
        const int64_t end = std::min(num_cols, begin + kChunk);
        sum_slots<T>(
            rows, position.data<int32_t>() + t * k, k, begin, end,
            [=](int64_t j) { return weight[j]; }, sum);
#pragma omp simd
        for (int64_t c = begin; c < end; ++c) store(to[c], sum[c - begin]);
      }
    });
  });
}

template <>
void detail::combine_rows_backward<Device::cpu>(const Tensor& dy, const Tensor& rows,
                                                const Tensor& position, const Tensor& weights,
                                                const Tensor& drows, const Tensor& dweights) {
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = dy.dim(1), k = weights.dim(1);
    for_rows(position.size(), num_cols, [&](int64_t slot) {
      const T* grad = dy.data<T>() + slot / k * num_cols;
      const int64_t row = position.data<int32_t>()[slot];
      if (row >= rows.dim(0)) {
        dweights.data<A>()[slot] = 0;
        return;
      }
      const T* from = rows.data<T>() + row * num_cols;
      T* to = drows.data<T>() + row * num_cols;
      const A weight = weights.data<A>()[slot];
      A dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t c = 0; c < num_cols; ++c) {
        const A g = static_cast<A>(grad[c]);
        dot += g * static_cast<A>(from[c]);
        store(to[c], g * weight);
      }
      dweights.data<A>()[slot] = dot;
    });
  });
}

template <>
void detail::permute_rows<Device::cpu>(const Tensor& x, const std::vector<int32_t>& index,
                                       const Tensor& y) {
  copy_rows(
      x, y, x.dim(0), [&](int64_t i) { return index[static_cast<size_t>(i)]; },
      [](int64_t i) { return i; });
}

template <>
void detail::unpermute_rows<Device::cpu>(const Tensor& x, const std::vector<int32_t>& index,
                                         const Tensor& y) {
  copy_rows(
      x, y, x.dim(0), [](int64_t i) { return i; },
      [&](int64_t i) { return index[static_cast<size_t>(i)]; });
}

template <>
void detail::swap_leading<Device::cpu>(const Tensor& x, const Tensor& y) {
  const int64_t outer = x.dim(0), inner = x.dim(1);
  const int64_t bytes = x.dim(2) * size_in_bytes(x.dtype());
  const char* from = static_cast<const char*>(x.raw());  // (outer, inner, bytes)
  char* to = static_cast<char*>(y.raw());                // (inner, outer, bytes)
  for_rows(outer * inner, x.dim(2), [&](int64_t row) {
    const int64_t i = row / inner, j = row % inner;
    std::memcpy(to + (j * outer + i) * bytes, from + row * bytes, static_cast<size_t>(bytes));
  });
}

}  // namespace argosy::ops
