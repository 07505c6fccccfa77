// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/latent_heads.h"

#include "trainer/ops/cuda_elements.cuh"

namespace argosy::ops {
namespace {

// All columns of a token's keys and values, head by head: own part, shared part, value.
struct HeadColumns {
  int64_t heads, nope, rope, value;
  __device__ int64_t of_head() const { return nope + rope + value; }
  __device__ int64_t of_token() const { return heads * of_head(); }
};
HeadColumns columns_of(const LatentHeadShape& s) {
  return {s.num_heads, s.nope_dim, s.rope_dim, s.value_dim};
}

template <typename T>
struct SplitHeads {
  HeadColumns s;
  const T *kv, *shared;
  T *k, *v;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t row = i / s.of_token(), head = i % s.of_token() / s.of_head();
    const int64_t column = i % s.of_head(), index = row * s.heads + head;
    const T* from = kv + index * (s.nope + s.value);
    T *key = k + index * (s.nope + s.rope), *value = v + index * s.value;
    float values[kSize];
    if (column < s.nope) {
      load(from + column, values);
      store(key + column, values);
    } else if (column < s.nope + s.rope) {
      load(shared + row * s.rope + column - s.nope, values);
      store(key + column, values);
    } else {
      load(from + column - s.rope, values);
      store(value + column - s.nope - s.rope, values);
    }
  }
};

// Of a token: dkv, head by head, then dshared, whose columns a thread sums over the heads.
template <typename T>
struct JoinHeads {
  HeadColumns s;
  const T *dk, *dv;
  T *dkv, *dshared;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t of_kv = s.heads * (s.nope + s.value), of_token = of_kv + s.rope;
    const int64_t row = i / of_token, at = i % of_token;
    if (at < of_kv) {
      copy<kSize>(row * s.heads + at / (s.nope + s.value), at % (s.nope + s.value));
    } else {
      sum<kSize>(row, at - of_kv);
    }
  }
  template <int kSize>
  __device__ void copy(int64_t head, int64_t column) const {
    const T* from = column < s.nope ? dk + head * (s.nope + s.rope) + column
                                    : dv + head * s.value + column - s.nope;
    float values[kSize];
    load(from, values);
    store(dkv + head * (s.nope + s.value) + column, values);
  }
  template <int kSize>
  __device__ void sum(int64_t row, int64_t column) const {
    const int64_t key_dim = s.nope + s.rope;
    float sums[kSize] = {};
    for (int64_t head = 0; head < s.heads; ++head) {
      float values[kSize];
      load(dk + (row * s.heads + head) * key_dim + s.nope + column, values);
#pragma unroll
      for (int j = 0; j < kSize; ++j) sums[j] += values[j];
    }
    store(dshared + row * s.rope + column, sums);
  }
};

template <typename T>
struct CopyColumns {
  const T* from;
  T* to;
  int64_t width, from_stride, to_stride;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t row = i / width, column = i % width;
    float values[kSize];
    load(from + row * from_stride + column, values);
    store(to + row * to_stride + column, values);
  }
};

template <typename T>
bool are_whole_packs(std::initializer_list<int64_t> columns) {
  return std::all_of(columns.begin(), columns.end(),
                     [](int64_t count) { return count % kPack<T> == 0; });
}

}  // namespace

template <>
void detail::latent_heads_forward<Device::cuda>(const LatentHeadShape& s, const Tensor& kv,
                                                const Tensor& shared, const Tensor& k,
                                                const Tensor& v) {
  dispatch_cuda(kv.dtype(), [&]<typename T>() {
    const SplitHeads<T> op{columns_of(s), kv.data<T>(), shared.data<T>(), k.data<T>(), v.data<T>()};
    for_elements<kPack<T>>(cuda_of(kv), "latent_heads", k.size() + v.size(),
                           are_aligned(kv.raw(), shared.raw(), k.raw(), v.raw()) &&
                               are_whole_packs<T>({s.nope_dim, s.rope_dim, s.value_dim}),
                           op);
  });
}

template <>
void detail::latent_heads_backward<Device::cuda>(const LatentHeadShape& s, const Tensor& dk,
                                                 const Tensor& dv, const Tensor& dkv,
                                                 const Tensor& dshared) {
  dispatch_cuda(dkv.dtype(), [&]<typename T>() {
    const JoinHeads<T> op{columns_of(s), dk.data<T>(), dv.data<T>(), dkv.data<T>(),
                          dshared.data<T>()};
    for_elements<kPack<T>>(cuda_of(dkv), "latent_heads_backward", dkv.size() + dshared.size(),
                           are_aligned(dk.raw(), dv.raw(), dkv.raw(), dshared.raw()) &&
                               are_whole_packs<T>({s.nope_dim, s.rope_dim, s.value_dim}),
                           op);
  });
}

template <>
void detail::copy_columns<Device::cuda>(const ColumnCopy& columns, const Tensor& from,
                                        const Tensor& to) {
  dispatch_cuda(from.dtype(), [&]<typename T>() {
    const CopyColumns<T> op{from.data<T>() + columns.from_begin, to.data<T>() + columns.to_begin,
                            columns.width, from.dim(1), to.dim(1)};
    for_elements<kPack<T>>(cuda_of(to), "copy_columns", from.dim(0) * columns.width,
                           are_aligned(from.raw(), to.raw()) &&
                               are_whole_packs<T>({columns.from_begin, columns.to_begin,
                                                   columns.width, from.dim(1), to.dim(1)}),
                           op);
  });
}

}  // namespace argosy::ops
