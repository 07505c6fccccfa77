// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cstring>

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
  const int64_t ahead = rows_ahead(row_bytes);
  for_rows(ids.size(), table.dim(1), [&](int64_t i) {
    const char *row = row_of(i), *later = row_of(i + ahead);
    char* target = to + i * row_bytes;
    if (row == nullptr) std::memset(target, 0, static_cast<size_t>(row_bytes));
    for_pieces(row_bytes, [&](Range piece) {
      if (later != nullptr) prefetch_row(later, piece);
      if (row != nullptr) copy_piece(row, target, piece);
    });
  });
}

namespace {

// dtable[row_of(i)] += dy[i] for each i with row_of(i) >= 0. Columns have an owner, rows keep their
// order: the sums do not depend on the number of threads.
template <typename RowOf>
void scatter_add(const Tensor& dy, const Tensor& dtable, const RowOf& row_of) {
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using S = Accumulator<T>;
    const int64_t num_rows = dy.dim(0), num_cols = dy.dim(1);
    const T* source = dy.data<T>();  // (N,H)
    S* sums = dtable.data<S>();      // (V,H)
    constexpr auto kBytes = static_cast<int64_t>(sizeof(S));
    for_columns(num_rows, num_cols, [&](int64_t begin, int64_t end) {
      const int64_t ahead = rows_ahead((end - begin) * kBytes);
      for (int64_t i = 0; i < num_rows; ++i) {
        const int64_t row = row_of(i);
        if (row < 0) continue;
        const T* from = source + i * num_cols;
        S* to = sums + row * num_cols;
        const int64_t later = i + ahead < num_rows ? row_of(i + ahead) : -1;
        for_pieces((end - begin) * kBytes, [&](Range piece) {
          if (later >= 0) prefetch_row<true>(sums + later * num_cols + begin, piece);
          const int64_t last = begin + piece.end / kBytes;
#pragma omp simd
          for (int64_t c = begin + piece.begin / kBytes; c < last; ++c)
            to[c] += static_cast<S>(from[c]);
        });
      }
    });
  });
}

}  // namespace

template <>
void detail::embedding_backward<Device::cpu>(DeviceContext&, const Tensor& dy, const Tensor& ids,
                                             int64_t first_id, const Tensor& dtable) {
  const int32_t* id = ids.data<int32_t>();
  const int64_t num_ids = dtable.dim(0);
  scatter_add(dy, dtable, [=](int64_t i) {
    const int64_t row = id[i] - first_id;
    return row < num_ids ? row : -1;
  });
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
void detail::positions_backward<Device::cpu>(DeviceContext&, const Tensor& dy,
                                             const Tensor& positions, const Tensor& dtable) {
  const int32_t* position = checked_positions(positions, dtable.dim(0));  // (N)
  scatter_add(dy, dtable, [=](int64_t i) { return int64_t{position[i]}; });
}

}  // namespace argosy::ops
