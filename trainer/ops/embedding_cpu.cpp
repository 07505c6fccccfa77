// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <array>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/embedding.h"

namespace argosy::ops {

template <>
void detail::embedding_forward<Device::cpu>(const Tensor& ids, const Tensor& table,
                                            int64_t first_id, const Tensor& y) {
  const int64_t num_ids = table.dim(0);
  const int64_t row_bytes = table.dim(1) * size_in_bytes(table.dtype());
  const int32_t* id = ids.data<int32_t>();             // (N)
  const char* from = static_cast<char*>(table.raw());  // (V, row_bytes)
  char* to = static_cast<char*>(y.raw());              // (N, row_bytes)
  // Of row i, or null: another rank has it, or there is no such row.
  const auto row_of = [&](int64_t i) -> const char* {
    const int64_t row = i < ids.size() ? id[i] - first_id : -1;
    return row >= 0 && row < num_ids ? from + row * row_bytes : nullptr;
  };
  constexpr int64_t kAheadBytes = 2048;  // of what is written
  const int64_t ahead = rows_ahead(row_bytes);
  for_rows(ids.size(), table.dim(1), [&](int64_t i) {
    const char *row = row_of(i), *later = row_of(i + ahead);
    char* target = to + i * row_bytes;
    if (row == nullptr) std::memset(target, 0, static_cast<size_t>(row_bytes));
    for_pieces(row_bytes, [&](Range piece) {
      if (later != nullptr) prefetch_row(later, piece);
      prefetch_row(target + kAheadBytes, piece);
      if (row != nullptr) copy_piece(row, target, piece);
    });
  });
}

namespace {

// Rows of a batch by the row of a table that each is added to.
struct SortedRows {
  Tensor order;      // int32, of which the first `size` count
  int64_t size = 0;  // rows that have a target
};

// The rows i of [0, num_rows) whose target_of(i) is in [0, num_targets), sorted by it, those of one
// target in their order: by one digit after the other, the lowest first.
template <typename TargetOf>
SortedRows sort_by_target(DeviceContext& ctx, int64_t num_rows, int64_t num_targets,
                          const TargetOf& target_of) {
  constexpr int kDigitBits = 8;
  constexpr int64_t kDigits = int64_t{1} << kDigitBits;
  const auto list = [&] { return ctx.empty({num_rows}, DType::int32, MemoryCategory::workspace); };
  SortedRows sorted = {list(), 0};
  Tensor other = list();
  for (int64_t i = 0; i < num_rows; ++i) {
    const int64_t target = target_of(i);
    if (target >= 0 && target < num_targets)
      sorted.order.data<int32_t>()[sorted.size++] = static_cast<int32_t>(i);
  }
  for (int shift = 0; (num_targets - 1) >> shift > 0; shift += kDigitBits) {
    const auto digit = [&](int32_t row) {
      return static_cast<size_t>((target_of(row) >> shift) % kDigits);
    };
    const std::span<const int32_t> from(sorted.order.data<int32_t>(),
                                        static_cast<size_t>(sorted.size));
    std::array<int64_t, kDigits + 1> next = {};  // where the next row of each digit goes
    for (const int32_t row : from) ++next[digit(row) + 1];
    std::partial_sum(next.begin(), next.end(), next.begin());
    for (const int32_t row : from) other.data<int32_t>()[next[digit(row)]++] = row;
    std::swap(sorted.order, other);
  }
  return sorted;
}

// to += from, while the same elements of two rows of a later call are asked for.
template <typename T, typename S>
void add_row(const T* from, S* to, int64_t size, const T* later_from, const S* later_to) {
  constexpr int64_t kStep = 32;
  int64_t begin = 0;
  for (; begin + kStep <= size; begin += kStep) {
    prefetch_row(later_from + begin, {0, kStep * int64_t{sizeof(T)}});
    prefetch_row(later_to + begin, {0, kStep * int64_t{sizeof(S)}});
#pragma omp simd
    for (int64_t c = 0; c < kStep; ++c) to[begin + c] += static_cast<S>(from[begin + c]);
  }
#pragma omp simd
  for (int64_t c = begin; c < size; ++c) to[c] += static_cast<S>(from[c]);
}

// dtable[target_of(i)] += dy[i] for each i that has a target. A row of the table has an owner, who
// reads and writes it once for all that is added to it, in the order of i: the sums do not depend
// on the number of threads.
template <typename TargetOf>
void scatter_add(DeviceContext& ctx, const Tensor& dy, const Tensor& dtable,
                 const TargetOf& target_of) {
  constexpr int64_t kAhead = 2;  // rows
  const SortedRows sorted = sort_by_target(ctx, dy.dim(0), dtable.dim(0), target_of);
  const auto* order = sorted.order.data<int32_t>();
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t cols = dy.dim(1), size = sorted.size;
    const auto row = [&](int64_t at) { return dy.data<T>() + order[at] * cols; };  // (H)
    const auto sum = [&](int64_t at) {
      return dtable.data<S>() + target_of(order[at]) * cols;
    };  // (H)
    // The first of the rows from `at` on that begins a row of the table.
    const auto next_target = [&](int64_t at) {
      while (at > 0 && at < size && target_of(order[at]) == target_of(order[at - 1])) ++at;
      return at;
    };
#pragma omp parallel if (size * cols >= kParallelElements)
    {
      const Range share = split_range(size, omp_get_num_threads(), omp_get_thread_num());
      const int64_t end = next_target(share.end);
      for (int64_t at = next_target(share.begin); at < end; ++at) {
        const int64_t later = std::min(at + kAhead, size - 1);
        add_row(row(at), sum(at), cols, row(later), sum(later));
      }
    }
  });
}

}  // namespace

template <>
void detail::embedding_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy,
                                             const Tensor& ids, int64_t first_id,
                                             const Tensor& dtable) {
  const int32_t* id = ids.data<int32_t>();
  scatter_add(ctx, dy, dtable, [=](int64_t i) { return id[i] - first_id; });
}

template <>
void detail::add_positions<Device::cpu>(const Tensor& table, const Tensor& positions,
                                        const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_cols = y.dim(1);
    const int32_t* position = checked_positions(positions, table.dim(0));  // (N)
    for_rows(y.dim(0), num_cols, [&](int64_t i) {
      const T* from = table.data<T>() + position[i] * num_cols;
      T* to = y.data<T>() + i * num_cols;
#pragma omp simd
      for (int64_t c = 0; c < num_cols; ++c) {
        store(to[c], static_cast<S>(to[c]) + static_cast<S>(from[c]));
      }
    });
  });
}

template <>
void detail::positions_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy,
                                             const Tensor& positions, const Tensor& dtable) {
  const int32_t* position = checked_positions(positions, dtable.dim(0));  // (N)
  scatter_add(ctx, dy, dtable, [=](int64_t i) { return int64_t{position[i]}; });
}

}  // namespace argosy::ops
