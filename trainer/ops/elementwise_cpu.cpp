// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {

namespace {

// Calls body.template operator()<A, B>() with the types of a and b.
template <typename Body>
void dispatch_pair(const Tensor& a, const Tensor& b, const Body& body) {
  dispatch_float(a.dtype(), [&]<typename A>() {
    dispatch_float(b.dtype(), [&]<typename B>() { body.template operator()<A, B>(); });
  });
}

}  // namespace

template <>
void detail::fill_zero<Device::cpu>(const Tensor& x) {
  const int64_t element_bytes = size_in_bytes(x.dtype());
  for_elements(x.size(), [&](int64_t begin, int64_t end) {
    std::memset(static_cast<char*>(x.raw()) + begin * element_bytes, 0,
                static_cast<size_t>((end - begin) * element_bytes));
  });
}

template <>
void detail::copy<Device::cpu>(const Tensor& from, const Tensor& to) {
  if (from.dtype() == to.dtype()) {  // int32 included
    const int64_t element_bytes = size_in_bytes(from.dtype());
    for_elements(from.size(), [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(to.raw()) + begin * element_bytes,
                  static_cast<char*>(from.raw()) + begin * element_bytes,
                  static_cast<size_t>((end - begin) * element_bytes));
    });
    return;
  }
  dispatch_pair(from, to, [&]<typename From, typename To>() {
    const From* x = from.data<From>();
    To* y = to.data<To>();
    for_elements(from.size(), [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        store(y[i], static_cast<Accumulator<From>>(x[i]));
      }
    });
  });
}

template <>
void detail::add<Device::cpu>(const Tensor& x, const Tensor& y) {
  dispatch_pair(x, y, [&]<typename X, typename Y>() {
    using W = Wider<X, Y>;
    const X* from = x.data<X>();
    Y* to = y.data<Y>();
    if constexpr (std::is_same_v<X, Y>) {
      const auto add = [&](const VectorRows& rows, int64_t begin, int64_t size) {
        rows.add(bf16(from) + begin, bf16(to) + begin, size);
      };
      if (for_vectors<X>(x.size(), add)) return;
    }
    for_elements(x.size(), [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        store(to[i], static_cast<W>(to[i]) + static_cast<W>(from[i]));
      }
    });
  });
}

template <>
void detail::scale<Device::cpu>(double factor, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    T* to = y.data<T>();
    const A by = static_cast<A>(factor);
    for_elements(y.size(), [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) store(to[i], static_cast<A>(to[i]) * by);
    });
  });
}

template <>
void detail::add_bias<Device::cpu>(const Tensor& bias, const Tensor& y) {
  dispatch_float(y.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = y.dim(1);
    const T* b = bias.data<T>();  // (C)
    const VectorRows* rows = vector_rows_of<T>();
    for_rows(y.dim(0), num_cols, [&](int64_t row) {
      T* to = y.data<T>() + row * num_cols;
      if (rows != nullptr) return rows->add(bf16(b), bf16(to), num_cols);
#pragma omp simd
      for (int64_t c = 0; c < num_cols; ++c) {
        store(to[c], static_cast<A>(to[c]) + static_cast<A>(b[c]));
      }
    });
  });
}

namespace {

// Rows of which each is added to the same sums are taken so many at a time: the sums are loaded and
// stored once for them, and the same number of rows behind them is asked for, in memory's order.
// Measured on a Zen 4, one thread, of what reading alone reaches: rows of 3 KiB 86 to 94%, of 12
// KiB 103%; four at a time 72 and 106%; one by one 56 to 100%, as addresses fell.
constexpr int64_t kRowsAtOnce = 8;

// sums (C) += rows, one behind the other, as many as there are indices.
template <typename T, typename A, size_t... kRow>
void add_rows(const T* rows, int64_t num_cols, A* sums, std::index_sequence<kRow...>) {
  constexpr int64_t kRows = sizeof...(kRow), kStep = 32;
  const auto add_column = [=](int64_t c) [[gnu::always_inline]] {
    sums[c] += (... + static_cast<A>(rows[int64_t{kRow} * num_cols + c]));
  };
  int64_t begin = 0;
  for (; begin + kStep <= num_cols; begin += kStep) {
    prefetch_row(rows + kRows * (num_cols + begin), {0, kRows * kStep * int64_t{sizeof(T)}});
#pragma omp simd
    for (int64_t c = begin; c < begin + kStep; ++c) add_column(c);
  }
#pragma omp simd
  for (int64_t c = begin; c < num_cols; ++c) add_column(c);
}

}  // namespace

template <>
void detail::bias_backward<Device::cpu>(DeviceContext& ctx, const Tensor& dy, const Tensor& dbias) {
  dispatch_float(dy.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_rows = dy.dim(0), num_cols = dy.dim(1);
    const int64_t block = rows_of_block(num_rows, 64);
    const int64_t num_blocks = ceil_div(num_rows, block);
    const T* from = dy.data<T>();  // (N,C)
    const Tensor partials =
        ctx.empty({num_blocks, num_cols}, dbias.dtype(), MemoryCategory::workspace);
    for_blocks(num_rows, block, num_cols, [&](int64_t begin, int64_t end) {
      A* sums = partials.data<A>() + begin / block * num_cols;
      if (const VectorRows* vectors = vector_rows_of<T>()) {
        return vectors->sum_rows(bf16(from + begin * num_cols), end - begin,
                                 reinterpret_cast<float*>(sums), num_cols);
      }
      std::fill_n(sums, num_cols, A(0));
      int64_t row = begin;
      for (; row + kRowsAtOnce <= end; row += kRowsAtOnce)
        add_rows(from + row * num_cols, num_cols, sums, std::make_index_sequence<kRowsAtOnce>());
      for (; row < end; ++row)
        add_rows(from + row * num_cols, num_cols, sums, std::make_index_sequence<1>());
    });
    add_partials<A>(partials, dbias);
  });
}

template <>
void detail::sigmoid_gate_forward<Device::cpu>(const Tensor& x, const Tensor& gate,
                                               const Tensor& y) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = x.dim(1);
    for_rows(x.dim(0), num_cols, [&](int64_t row) {
      const A open = sigmoid<A>(gate.data<A>()[row]);
      const T* from = x.data<T>() + row * num_cols;
      T* to = y.data<T>() + row * num_cols;
#pragma omp simd
      for (int64_t c = 0; c < num_cols; ++c) store(to[c], static_cast<A>(from[c]) * open);
    });
  });
}

template <>
void detail::sigmoid_gate_backward<Device::cpu>(const Tensor& dy, const Tensor& x,
                                                const Tensor& gate, const Tensor& dx,
                                                const Tensor& dgate) {
  dispatch_float(x.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t num_cols = x.dim(1);
    for_rows(x.dim(0), num_cols, [&](int64_t row) {
      const A open = sigmoid<A>(gate.data<A>()[row]);
      const T* grad = dy.data<T>() + row * num_cols;
      const T* from = x.data<T>() + row * num_cols;
      T* to = dx.data<T>() + row * num_cols;
      A dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t c = 0; c < num_cols; ++c) {
        const A g = static_cast<A>(grad[c]);
        dot += g * static_cast<A>(from[c]);
        store(to[c], g * open);
      }
      dgate.data<A>()[row] = dot * open * (1 - open);
    });
  });
}

namespace {

// Sum of term(x[i]) in double. Blocks of kElementBlock elements are summed in kLanes lanes of a
// fixed assignment, then blocks in order: neither threads, vector width nor alignment change it.
template <typename Term>
double blocked_sum(const Tensor& x, const Term& term) {
  constexpr int64_t kLanes = 32;  // four AVX-512 registers: one would wait for its own additions
  return dispatch_float(x.dtype(), [&]<typename T>() {
    const T* from = x.data<T>();
    std::vector<double> sums(static_cast<size_t>((x.size() + kElementBlock - 1) / kElementBlock));
    for_elements(x.size(), [&](int64_t begin, int64_t end) {
      double lanes[kLanes] = {};
      int64_t i = begin;
      for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
        for (int64_t j = 0; j < kLanes; ++j) {
          lanes[j] += term(static_cast<double>(static_cast<Accumulator<T>>(from[i + j])));
        }
      }
      double total = 0;
      for (double lane : lanes) total += lane;
      for (; i < end; ++i) total += term(static_cast<double>(static_cast<Accumulator<T>>(from[i])));
      sums[static_cast<size_t>(begin / kElementBlock)] = total;
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  });
}

}  // namespace

template <>
void detail::add_sum<Device::cpu>(DeviceContext&, const Tensor& x, const Tensor& total) {
  *total.data<double>() += blocked_sum(x, [](double value) { return value; });
}

template <>
void detail::sum_of_squares<Device::cpu>(DeviceContext&, std::span<const Tensor> parts,
                                         const Tensor& total) {
  double sum = 0;
  for (const Tensor& part : parts) {
    sum += blocked_sum(part, [](double value) { return value * value; });
  }
  *total.data<double>() = sum;
}

}  // namespace argosy::ops
