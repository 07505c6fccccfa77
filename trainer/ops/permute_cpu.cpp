// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/permute.h"

namespace argosy::ops {

template <>
void detail::drop_beyond_capacity<Device::cpu>(DeviceContext&, const Tensor& tokens,
                                               const Tensor& experts, int64_t num_experts,
                                               int64_t seq_len, int64_t capacity, int64_t first,
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
std::vector<int64_t> detail::sort_by_expert<Device::cpu>(DeviceContext&, const Tensor& experts,
                                                         int64_t num_experts, const Tensor& order) {
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

// The rows of a token's choices that were kept, with their weights.
template <typename T>
struct Choices {
  static constexpr int64_t kMost = 64;  // more would be a dense layer
  const T* rows[kMost];
  Accumulator<T> weights[kMost];
  int64_t size = 0;
};

// Positions beyond the rows are slots that were not kept.
template <typename T, typename WeightOf>
Choices<T> kept_choices(const Tensor& many, const int32_t* position, int64_t k,
                        const WeightOf& weight_of) {
  CHECK(k <= Choices<T>::kMost, k, " choices; at most ", Choices<T>::kMost);
  Choices<T> choices;
  for (int64_t j = 0; j < k; ++j) {
    if (position[j] >= many.dim(0)) continue;
    choices.rows[choices.size] = many.data<T>() + position[j] * many.dim(1);
    choices.weights[choices.size++] = weight_of(j);
  }
  return choices;
}

// to[c] = (kAdd ? to[c] : 0) + sum over the choices, in their order, of weight * row[c]. The number
// of choices is known to the compiler: it vectorises over c.
template <bool kAdd, typename T, size_t... kChoice>
void sum_few(const Choices<T>& choices, int64_t num_cols, T* to, std::index_sequence<kChoice...>) {
  using A = Accumulator<T>;
  const std::array<const T*, sizeof...(kChoice)> rows = {choices.rows[kChoice]...};
  const std::array<A, sizeof...(kChoice)> weights = {choices.weights[kChoice]...};
#pragma omp simd
  for (int64_t c = 0; c < num_cols; ++c) {
    A sum = 0;
    ((sum += weights[kChoice] * static_cast<A>(rows[kChoice][c])), ...);
    if constexpr (kAdd) sum = static_cast<A>(to[c]) + sum;
    store(to[c], sum);
  }
}

template <bool kAdd, typename T>
void sum_rows(const Choices<T>& choices, int64_t num_cols, T* to) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    if (const detail::VectorRows* rows = detail::vector_rows()) {
      return rows->weighted_sum(choices.rows, choices.weights, choices.size, kAdd, to, num_cols);
    }
  }
  switch (choices.size) {  // what models have
    case 1:
      return sum_few<kAdd>(choices, num_cols, to, std::make_index_sequence<1>());
    case 2:
      return sum_few<kAdd>(choices, num_cols, to, std::make_index_sequence<2>());
    case 4:
      return sum_few<kAdd>(choices, num_cols, to, std::make_index_sequence<4>());
    case 8:
      return sum_few<kAdd>(choices, num_cols, to, std::make_index_sequence<8>());
    default:
      break;
  }
  for (int64_t c = 0; c < num_cols; ++c) {
    Accumulator<T> sum = 0;
    for (int64_t j = 0; j < choices.size; ++j) {
      sum += choices.weights[j] * static_cast<Accumulator<T>>(choices.rows[j][c]);
    }
    store(to[c], kAdd ? static_cast<Accumulator<T>>(to[c]) + sum : sum);
  }
}

// Asks for a piece of the rows of `many` that belong to slots of token t and were kept.
void prefetch_token(const Tensor& many, const Tensor& position, int64_t t, int64_t k, Range piece) {
  const int64_t row_bytes = many.dim(1) * size_in_bytes(many.dtype());
  for (int64_t slot = t * k; slot < std::min((t + 1) * k, position.size()); ++slot) {
    const int64_t row = position.data<int32_t>()[slot];
    if (row < many.dim(0))
      prefetch_row(static_cast<const char*>(many.raw()) + row * row_bytes, piece);
  }
}

// to = sum of the choices' rows, piece by piece; ahead(piece) asks for what comes later.
template <bool kAdd, typename T, typename Ahead>
void sum_in_pieces(Choices<T>& choices, int64_t num_cols, T* to, const Ahead& ahead) {
  constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  for_pieces(num_cols * kBytes, [&](Range piece) {
    ahead(piece);
    const int64_t size = piece.size() / kBytes;
    sum_rows<kAdd>(choices, size, to + piece.begin / kBytes);
    for (int64_t j = 0; j < choices.size; ++j) choices.rows[j] += size;
  });
}

// to = factor * x; returns the sum of x * y. x of the next slot is asked for: rows and their
// gradients lie in order.
template <typename T>
struct SlotRows {
  const T *x, *y;
  T* to;
};
template <typename T, typename A = Accumulator<T>>
A scaled_and_dot(const SlotRows<T>& rows, A factor, int64_t size, const T* later_x) {
  if (const detail::VectorRows* vectors = vector_rows_of<T>()) {
    return A(vectors->scaled_and_dot(bf16(rows.x), bf16(rows.y), static_cast<float>(factor),
                                     bf16(rows.to), size, bf16(later_x)));
  }
  prefetch_row(later_x, {0, size * int64_t{sizeof(T)}});
  A dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t c = 0; c < size; ++c) {
    const A value = static_cast<A>(rows.x[c]);
    dot += value * static_cast<A>(rows.y[c]);
    store(rows.to[c], value * factor);
  }
  return dot;
}

// Where slots ascend in their order by expert: an expert's, or those of some that follow each
// other.
std::vector<std::span<const int32_t>> ascending_runs(std::span<const int32_t> slots) {
  std::vector<std::span<const int32_t>> runs;
  for (size_t begin = 0, end = 0; begin < slots.size(); begin = end) {
    for (end = begin + 1; end < slots.size() && slots[end - 1] < slots[end];) ++end;
    runs.push_back(slots.subspan(begin, end - begin));
  }
  return runs;
}

}  // namespace

// Token by token: each is read once, whatever the number of its experts.
template <>
void detail::dispatch_rows<Device::cpu>(const Tensor& x, const Tensor& position, int64_t k,
                                        const Tensor& y) {
  const int64_t row_bytes = x.dim(1) * size_in_bytes(x.dtype());
  const int64_t ahead = rows_ahead(row_bytes);
  for_rows(x.dim(0), x.dim(1) * k, [&](int64_t t) {
    const char* from = static_cast<const char*>(x.raw()) + t * row_bytes;
    for_pieces(row_bytes, [&](Range piece) {
      prefetch_token(y, position, t + ahead, k, piece);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t row = position.data<int32_t>()[t * k + j];
        if (row >= y.dim(0)) continue;  // not kept
        copy_piece(from, static_cast<char*>(y.raw()) + row * row_bytes, piece);
      }
    });
  });
}

template <>
void detail::dispatch_rows_backward<Device::cpu>(const Tensor& drows, const Tensor& position,
                                                 int64_t k, const Tensor& dx) {
  dispatch_float(dx.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = dx.dim(1), ahead = rows_ahead(num_cols * int64_t{sizeof(T)});
    for_rows(dx.dim(0), num_cols * k, [&](int64_t t) {
      Choices<T> choices =
          kept_choices<T>(drows, position.data<int32_t>() + t * k, k, [](int64_t) { return A(1); });
      sum_in_pieces<true>(choices, num_cols, dx.data<T>() + t * num_cols, [&](Range piece) {
        prefetch_token(drows, position, t + ahead, k, piece);
      });
    });
  });
}

template <>
void detail::combine_rows<Device::cpu>(const Tensor& rows, const Tensor& position,
                                       const Tensor& weights, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = y.dim(1), k = weights.dim(1);
    const int64_t ahead = rows_ahead(num_cols * int64_t{sizeof(T)});
    for_rows(y.dim(0), num_cols * k, [&](int64_t t) {
      const A* weight = weights.data<A>() + t * k;
      Choices<T> choices = kept_choices<T>(rows, position.data<int32_t>() + t * k, k,
                                           [=](int64_t j) { return weight[j]; });
      sum_in_pieces<false>(choices, num_cols, y.data<T>() + t * num_cols, [&](Range piece) {
        prefetch_token(rows, position, t + ahead, k, piece);
      });
    });
  });
}

// Blocks of tokens whose dy stays in a level-2 cache while the block goes from expert to expert: so
// rows and their gradients, which are read and written once, lie one behind the other.
template <>
void detail::combine_rows_backward<Device::cpu>(DeviceContext&, const Tensor& dy,
                                                const Tensor& rows, const Tensor& order,
                                                const Tensor& weights, const Tensor& drows,
                                                const Tensor& dweights) {
  constexpr int64_t kBlockBytes = int64_t{384} << 10;  // of dy
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_tokens = dy.dim(0), cols = dy.dim(1), k = weights.dim(1);
    const int64_t num_kept = rows.dim(0);
    const int32_t* slots = order.data<int32_t>();
    for (int64_t i = num_kept; i < order.size(); ++i) dweights.data<A>()[slots[i]] = 0;
    const auto runs = ascending_runs({slots, static_cast<size_t>(num_kept)});
    const auto rows_at = [&](int64_t i) {
      return SlotRows<T>{dy.data<T>() + slots[i] / k * cols, rows.data<T>() + i * cols,
                         drows.data<T>() + i * cols};
    };
    const int64_t threads = omp_get_max_threads();
    const int64_t row_bytes = std::max<int64_t>(cols * int64_t{sizeof(T)}, 1);
    const int64_t block = std::clamp<int64_t>(
        kBlockBytes / row_bytes, 1, std::max<int64_t>((num_tokens + threads - 1) / threads, 1));
    for_blocks(num_tokens, block, cols * k, [&](int64_t begin, int64_t end) {
      for (const std::span<const int32_t> run : runs) {
        const auto first = std::lower_bound(run.begin(), run.end(), begin * k);
        const auto last = std::lower_bound(first, run.end(), end * k);
        const int64_t end_row = &*run.begin() - slots + (last - run.begin());
        for (int64_t i = end_row - (last - first); i < end_row; ++i) {
          const int64_t slot = slots[i];
          dweights.data<A>()[slot] = scaled_and_dot(rows_at(i), weights.data<A>()[slot], cols,
                                                    rows_at(std::min(i + 1, end_row - 1)).x);
        }
      }
    });
  });
}

template <>
void detail::permute_rows<Device::cpu>(DeviceContext&, const Tensor& x,
                                       const std::vector<int32_t>& index, const Tensor& y) {
  copy_rows(
      x, y, x.dim(0), [&](int64_t i) { return index[static_cast<size_t>(i)]; },
      [](int64_t i) { return i; });
}

template <>
void detail::unpermute_rows<Device::cpu>(DeviceContext&, const Tensor& x,
                                         const std::vector<int32_t>& index, const Tensor& y) {
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
