// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The plain kernel's gradients. Three launches, each of which owns what it writes, so that no sum
// needs an atomic: the rows' sums of dout * out, then dq by tiles of queries, then dk and dv by
// tiles of keys. Probabilities are computed again from the log-sum-exp, twice.
#include <algorithm>
#include <limits>

#include "trainer/ops/cuda_attention.cuh"
#include "trainer/ops/cuda_attention.h"

namespace argosy::ops::detail {
namespace {

template <typename T, typename O>
struct BackwardOperands {
  AttentionSizes s;
  Spans queries, keys;
  const T *dout, *q, *k, *v;
  const float *lse, *delta;  // (N, hq)
  O *dq, *dk, *dv;
  bool accumulate;
};

// delta (N, hq): the sum of dout * out over the head. A warp has a row of a head.
template <typename T>
__global__ void row_products_kernel(const T* dout, const T* out, int64_t rows, int64_t value_dim,
                                    float* delta) {
  const int64_t row = thread_of_grid() / kWarp;
  if (row >= rows) return;
  float sum = 0;
  for (int64_t d = lane_of_thread(); d < value_dim; d += kWarp)
    sum += to_float(dout[row * value_dim + d]) * to_float(out[row * value_dim + d]);
  sum = warp_sum(sum);
  if (lane_of_thread() == 0) delta[row] = sum;
}

// What a query is to its keys.
struct QueryTerms {
  int position, oldest;
  float lse, delta;
};
template <typename T, typename O>
__device__ QueryTerms query_terms(const BackwardOperands<T, O>& a, int64_t sequence, int64_t head,
                                  int64_t row) {
  // Beyond the end: no key is visible, and no probability is left.
  if (row >= a.s.seq_len) return {-1, 0, std::numeric_limits<float>::infinity(), 0};
  const int64_t i = (sequence * a.s.seq_len + row) * a.s.num_heads + head;
  const int position = a.queries.position(row);
  return {position, oldest_key(a.s, sequence, row, position), a.lse[i], a.delta[i]};
}

// probability and the score's gradient from the score and dout . value.
__device__ inline void score_gradient(const QueryTerms& query, int key_position, float& score,
                                      float& gradient) {
  const bool visible = key_position <= query.position && key_position >= query.oldest;
  score = visible ? fast_exp(score - query.lse) : 0.0f;
  gradient = score * (gradient - query.delta);
}

// to = or += factor * sums for rows [first, ...) of the tile.
template <int kHeadDim, int kRows, typename O>
__device__ void store_rows(const Rows<O>& to, int64_t first, int64_t end, int64_t head_dim,
                           float factor, bool accumulate,
                           const float (&sums)[kRows][kHeadDim / kColGroups]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int64_t row = first + row_group() + i * kRowGroups;
    if (row >= end) continue;
#pragma unroll
    for (int d = 0; d < kHeadDim / kColGroups; ++d) {
      const int column = col_group() + d * kColGroups;
      if (column >= head_dim) continue;
      O* at = to.at(row) + column;
      *at = from_float<O>((accumulate ? to_float(*at) : 0.0f) + factor * sums[i][d]);
    }
  }
}

__device__ inline int key_position(const Spans& keys, int64_t row, int64_t seq_len) {
  return row < seq_len ? keys.position(row) : std::numeric_limits<int>::max();
}

// Block (tile of queries, head, sequence).
template <int kHeadDim, typename T, typename O>
__global__ void __launch_bounds__(kAttentionThreads)
    query_gradient_kernel(BackwardOperands<T, O> a) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTileRows<kHeadDim>, head = blockIdx.y,
                sequence = blockIdx.z, kv_head = head / (a.s.num_heads / a.s.num_kv_heads);
  const auto of_query = [&]<typename E>(E* x, int64_t size) {
    return head_rows(x, sequence, a.s.seq_len, head, a.s.num_heads, size);
  };
  const auto of_key = [&]<typename E>(E* x, int64_t size) {
    return head_rows(x, sequence, a.s.seq_len, kv_head, a.s.num_kv_heads, size);
  };
  const int64_t head_dim = a.s.head_dim, value_dim = a.s.value_dim;
  constexpr int kStride = kTileStride<kHeadDim>;
  float* query = shared_memory<float>();                // (kTileRows, kHeadDim)
  float* dout = query + kTileRows<kHeadDim> * kStride;  // (kTileRows, kHeadDim)
  float* key =
      dout + kTileRows<kHeadDim> * kStride;      // (kTileCols, kHeadDim), then the values, then
  float* gradients = key + kTileCols * kStride;  // (kTileRows, kTileCols + 1)
  load_tile<kHeadDim>(of_query(a.q, head_dim), first, kTileRows<kHeadDim>, a.s.seq_len, head_dim,
                      a.s.scale, query);
  load_tile<kHeadDim>(of_query(a.dout, value_dim), first, kTileRows<kHeadDim>, a.s.seq_len,
                      value_dim, 1.0f, dout);
  QueryTerms terms[kOwnRows<kHeadDim>];
  for (int i = 0; i < kOwnRows<kHeadDim>; ++i)
    terms[i] = query_terms(a, sequence, head, first + row_group() + i * kRowGroups);
  float sums[kOwnRows<kHeadDim>][kHeadDim / kColGroups] = {};
  const int newest = a.queries.position(min(first + kTileRows<kHeadDim>, a.s.seq_len) - 1);
  for (int64_t first_key = 0; first_key < a.s.seq_len; first_key += kTileCols) {
    if (a.keys.position(first_key) > newest) break;
    __syncthreads();  // the keys before are done with
    load_tile<kHeadDim>(of_key(a.v, value_dim), first_key, kTileCols, a.s.seq_len, value_dim, 1.0f,
                        key);
    __syncthreads();
    float scores[kOwnRows<kHeadDim>][kOwnCols], gradient[kOwnRows<kHeadDim>][kOwnCols];
    multiply_rows<kHeadDim>(dout, key, gradient);
    __syncthreads();
    load_tile<kHeadDim>(of_key(a.k, head_dim), first_key, kTileCols, a.s.seq_len, head_dim, 1.0f,
                        key);
    __syncthreads();
    multiply_rows<kHeadDim>(query, key, scores);
#pragma unroll
    for (int j = 0; j < kOwnCols; ++j) {
      const int column = col_group() + j * kColGroups;
      const int position = key_position(a.keys, first_key + column, a.s.seq_len);
#pragma unroll
      for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
        score_gradient(terms[i], position, scores[i][j], gradient[i][j]);
        gradients[(row_group() + i * kRowGroups) * (kTileCols + 1) + column] = gradient[i][j];
      }
    }
    __syncwarp();  // a row is written and read by the lanes of one warp
    add_weighted_rows<kHeadDim, kTileCols>(gradients, key, sums);
  }
  store_rows<kHeadDim>(of_query(a.dq, head_dim), first, a.s.seq_len, head_dim, a.s.scale,
                       a.accumulate, sums);
}

// Block (tile of keys, key/value head, sequence): kTileCols keys, which all query heads of the
// group look at, in tiles of kTileRows queries.
template <int kHeadDim, typename T, typename O>
__global__ void __launch_bounds__(kAttentionThreads) key_gradient_kernel(BackwardOperands<T, O> a) {
  const int64_t first_key = static_cast<int64_t>(blockIdx.x) * kTileCols, kv_head = blockIdx.y,
                sequence = blockIdx.z, group = a.s.num_heads / a.s.num_kv_heads;
  const auto of_key = [&]<typename E>(E* x, int64_t size) {
    return head_rows(x, sequence, a.s.seq_len, kv_head, a.s.num_kv_heads, size);
  };
  const int64_t head_dim = a.s.head_dim, value_dim = a.s.value_dim;
  constexpr int kStride = kTileStride<kHeadDim>;
  float* key = shared_memory<float>();         // (kTileCols, kHeadDim)
  float* value = key + kTileCols * kStride;    // (kTileCols, kHeadDim)
  float* query = value + kTileCols * kStride;  // (kTileRows, kHeadDim): queries, then dout
  float* scores = query + kTileRows<kHeadDim> * kStride;  // (kTileCols, kTileRows + 1)
  load_tile<kHeadDim>(of_key(a.k, head_dim), first_key, kTileCols, a.s.seq_len, head_dim, 1.0f,
                      key);
  load_tile<kHeadDim>(of_key(a.v, value_dim), first_key, kTileCols, a.s.seq_len, value_dim, 1.0f,
                      value);
  // Of the keys a thread has rows row_group() + j*kRowGroups, of the queries every sixteenth.
  int position[kOwnCols];
  for (int j = 0; j < kOwnCols; ++j)
    position[j] = key_position(a.keys, first_key + row_group() + j * kRowGroups, a.s.seq_len);
  float dk[kOwnCols][kHeadDim / kColGroups] = {}, dv[kOwnCols][kHeadDim / kColGroups] = {};
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const auto of_query = [&]<typename E>(E* x, int64_t size) {
      return head_rows(x, sequence, a.s.seq_len, head, a.s.num_heads, size);
    };
    for (int64_t first = 0; first < a.s.seq_len; first += kTileRows<kHeadDim>) {
      // The tile's last query stands before these keys: it sees none, nor do those before it.
      if (a.queries.position(min(first + kTileRows<kHeadDim>, a.s.seq_len) - 1) <
          a.keys.position(first_key))
        continue;
      float probs[kOwnCols][kOwnRows<kHeadDim>], gradient[kOwnCols][kOwnRows<kHeadDim>];
      __syncthreads();  // the queries before are done with
      load_tile<kHeadDim>(of_query(a.q, head_dim), first, kTileRows<kHeadDim>, a.s.seq_len,
                          head_dim, a.s.scale, query);
      __syncthreads();
      multiply_rows<kHeadDim>(key, query, probs);
      __syncthreads();
      load_tile<kHeadDim>(of_query(a.dout, value_dim), first, kTileRows<kHeadDim>, a.s.seq_len,
                          value_dim, 1.0f, query);
      __syncthreads();
      multiply_rows<kHeadDim>(value, query, gradient);
#pragma unroll
      for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
        const int column = col_group() + i * kColGroups;
        const QueryTerms terms = query_terms(a, sequence, head, first + column);
#pragma unroll
        for (int j = 0; j < kOwnCols; ++j) {
          score_gradient(terms, position[j], probs[j][i], gradient[j][i]);
          scores[(row_group() + j * kRowGroups) * (kTileRows<kHeadDim> + 1) + column] = probs[j][i];
        }
      }
      __syncwarp();  // a row is written and read by the lanes of one warp
      add_weighted_rows<kHeadDim, kTileRows<kHeadDim>>(scores, query, dv);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
#pragma unroll
        for (int j = 0; j < kOwnCols; ++j) {
          scores[(row_group() + j * kRowGroups) * (kTileRows<kHeadDim> + 1) + col_group() +
                 i * kColGroups] = gradient[j][i];
        }
      }
      load_tile<kHeadDim>(of_query(a.q, head_dim), first, kTileRows<kHeadDim>, a.s.seq_len,
                          head_dim, a.s.scale, query);
      __syncthreads();
      add_weighted_rows<kHeadDim, kTileRows<kHeadDim>>(scores, query, dk);
    }
  }
  store_rows<kHeadDim>(of_key(a.dk, head_dim), first_key, a.s.seq_len, head_dim, 1.0f, a.accumulate,
                       dk);
  store_rows<kHeadDim>(of_key(a.dv, value_dim), first_key, a.s.seq_len, value_dim, 1.0f,
                       a.accumulate, dv);
}

}  // namespace

void plain_attention_backward(DeviceContext& ctx, const AttentionShape& s, const Tensor& dout,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, const Tensor& dq, const Tensor& dk,
                              const Tensor& dv, Merge merge) {
  const CudaDevice& device = cuda_of(ctx);
  const Tensor delta = ctx.empty(lse.shape(), DType::fp32, MemoryCategory::workspace);
  dispatch_cuda_result(q.dtype(), dq.dtype(), [&]<typename T, typename O>() {
    const int64_t rows = lse.size();
    launch(device, "attention_row_products", row_products_kernel<T>,
           {blocks_of(ceil_div(rows, kAttentionThreads / kWarp)), kAttentionThreads},
           dout.data<T>(), out.data<T>(), rows, s.value_dim, delta.data<float>());
    dispatch_head_dim(std::max(s.head_dim, s.value_dim), [&]<int kHeadDim>() {
      const BackwardOperands<T, O> a{sizes_of(s),
                                     spans_of(s.queries),
                                     spans_of(s.keys),
                                     dout.data<T>(),
                                     q.data<T>(),
                                     k.data<T>(),
                                     v.data<T>(),
                                     lse.data<float>(),
                                     delta.data<float>(),
                                     dq.data<O>(),
                                     dk.data<O>(),
                                     dv.data<O>(),
                                     merge == Merge::accumulate};
      launch(device, "attention_query_gradient", query_gradient_kernel<kHeadDim, T, O>,
             {blocks_of(ceil_div(s.seq_len, kTileRows<kHeadDim>), s.num_heads, s.batch),
              kAttentionThreads,
              2 * kQueryTileBytes<kHeadDim> + kKeyTileBytes<kHeadDim> + kScoreTileBytes<kHeadDim>},
             a);
      launch(device, "attention_key_gradient", key_gradient_kernel<kHeadDim, T, O>,
             {blocks_of(ceil_div(s.seq_len, kTileCols), s.num_kv_heads, s.batch), kAttentionThreads,
              kQueryTileBytes<kHeadDim> + 2 * kKeyTileBytes<kHeadDim> +
                  kTileCols * (kTileRows<kHeadDim> + 1) * static_cast<int64_t>(sizeof(float))},
             a);
    });
  });
}

}  // namespace argosy::ops::detail
