// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/latent_heads.h"

#include <algorithm>
#include <cstring>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

template <>
void detail::latent_heads_forward<Device::cpu>(const LatentHeadShape& s, const Tensor& kv,
                                               const Tensor& shared, const Tensor& k,
                                               const Tensor& v) {
  dispatch_float(kv.dtype(), [&]<typename T>() {
    for_rows(kv.dim(0), k.dim(1) + v.dim(1), [&](int64_t row) {
      const T* from = kv.data<T>() + row * kv.dim(1);
      const T* common = shared.data<T>() + row * s.rope_dim;
      T *key = k.data<T>() + row * k.dim(1), *value = v.data<T>() + row * v.dim(1);
      for (int64_t head = 0; head < s.num_heads; ++head) {
        key = std::copy_n(from, s.nope_dim, key);
        key = std::copy_n(common, s.rope_dim, key);
        value = std::copy_n(from + s.nope_dim, s.value_dim, value);
        from += s.nope_dim + s.value_dim;
      }
    });
  });
}

template <>
void detail::latent_heads_backward<Device::cpu>(const LatentHeadShape& s, const Tensor& dk,
                                                const Tensor& dv, const Tensor& dkv,
                                                const Tensor& dshared) {
  dispatch_float(dkv.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    for_rows(dkv.dim(0), dk.dim(1) + dv.dim(1), [&](int64_t row) {
      const T *key = dk.data<T>() + row * dk.dim(1), *value = dv.data<T>() + row * dv.dim(1);
      T *to = dkv.data<T>() + row * dkv.dim(1), *common = dshared.data<T>() + row * s.rope_dim;
      for (int64_t head = 0; head < s.num_heads; ++head) {
        to = std::copy_n(key + head * s.key_dim(), s.nope_dim, to);
        to = std::copy_n(value + head * s.value_dim, s.value_dim, to);
      }
      // A few columns at a time, so that their sums stay in registers.
      constexpr int64_t kColumns = 32;
      for (int64_t begin = 0; begin < s.rope_dim; begin += kColumns) {
        const int64_t size = std::min(kColumns, s.rope_dim - begin);
        A sums[kColumns] = {};
        for (int64_t head = 0; head < s.num_heads; ++head) {
          const T* from = key + head * s.key_dim() + s.nope_dim + begin;
#pragma omp simd
          for (int64_t c = 0; c < size; ++c) sums[c] += A(from[c]);
        }
        for (int64_t c = 0; c < size; ++c) common[begin + c] = T(sums[c]);
      }
    });
  });
}

template <>
void detail::copy_columns<Device::cpu>(const ColumnCopy& columns, const Tensor& from,
                                       const Tensor& to) {
  const int64_t element_bytes = size_in_bytes(from.dtype());
  const auto* source = static_cast<const char*>(from.raw()) + columns.from_begin * element_bytes;
  auto* target = static_cast<char*>(to.raw()) + columns.to_begin * element_bytes;
  for_rows(from.dim(0), columns.width, [&](int64_t row) {
    std::memcpy(target + row * to.dim(1) * element_bytes,
                source + row * from.dim(1) * element_bytes,
                static_cast<size_t>(columns.width * element_bytes));
  });
}

}  // namespace argosy::ops
