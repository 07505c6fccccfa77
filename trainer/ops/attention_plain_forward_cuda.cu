// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The plain kernel: every mask and span, any head up to 256, fp32 arithmetic, no tensor cores.
#include <algorithm>
#include <limits>

#include "trainer/ops/cuda_attention.cuh"
#include "trainer/ops/cuda_attention.h"

namespace argosy::ops::detail {

Spans spans_of(const std::vector<AttentionSpan>& spans) {
  if (spans.size() > static_cast<size_t>(kMostSpans)) {
    throw ConfigError(concat("attention to ", spans.size(), " parts of a sequence: --device cuda ",
                             "takes up to ", kMostSpans));
  }
  Spans result;
  for (const AttentionSpan& span : spans) {
    result.spans[result.count++] = {static_cast<int32_t>(span.row),
                                    static_cast<int32_t>(span.position),
                                    static_cast<int32_t>(span.length)};
  }
  return result;
}

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

template <typename T, typename O>
struct ForwardOperands {
  AttentionSizes s;
  Spans queries, keys;
  const T *q, *k, *v;
  O* out;
  float* lse;
  bool accumulate;
};

// What a thread keeps of its rows of queries.
template <int kHeadDim>
struct RowState {
  int position[kOwnRows<kHeadDim>], oldest[kOwnRows<kHeadDim>];
  float maximum[kOwnRows<kHeadDim>], sum[kOwnRows<kHeadDim>];
  float out[kOwnRows<kHeadDim>][kHeadDim / kColGroups];
};

template <int kHeadDim, typename T, typename O>
__device__ void start_rows(const ForwardOperands<T, O>& a, const Rows<O>& out, int64_t sequence,
                           int64_t head, int64_t first, RowState<kHeadDim>& state) {
  for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
    const int64_t row = first + row_group() + i * kRowGroups;
    const bool exists = row < a.s.seq_len;
    state.position[i] = exists ? a.queries.position(row) : -1;  // sees nothing
    state.oldest[i] = exists ? oldest_key(a.s, sequence, row, state.position[i]) : 0;
    const bool goes_on = exists && a.accumulate;
    state.maximum[i] =
        goes_on ? a.lse[(sequence * a.s.seq_len + row) * a.s.num_heads + head] : kLowest;
    state.sum[i] = goes_on ? 1.0f : 0.0f;
#pragma unroll
    for (int d = 0; d < kHeadDim / kColGroups; ++d) {
      const int column = col_group() + d * kColGroups;
      state.out[i][d] = goes_on && column < a.s.value_dim ? to_float(out.at(row)[column]) : 0.0f;
    }
  }
}

// scores become unnormalised probabilities; what was summed before is scaled to the new maximum.
template <int kHeadDim>
__device__ void online_softmax(const Spans& keys, int64_t first_key, int64_t num_keys,
                               float (&scores)[kOwnRows<kHeadDim>][kOwnCols],
                               RowState<kHeadDim>& state) {
  int position[kOwnCols];
  for (int j = 0; j < kOwnCols; ++j) {
    const int64_t key = first_key + col_group() + j * kColGroups;
    position[j] = key < num_keys ? keys.position(key) : std::numeric_limits<int>::max();
  }
#pragma unroll
  for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
    float highest = kLowest;
#pragma unroll
    for (int j = 0; j < kOwnCols; ++j) {
      if (position[j] > state.position[i] || position[j] < state.oldest[i]) scores[i][j] = kLowest;
      highest = fmaxf(highest, scores[i][j]);
    }
    highest = fmaxf(state.maximum[i], row_max(highest));
    // No visible key so far: any finite shift gives zeros.
    const float shift = highest == kLowest ? 0.0f : highest;
    const float factor = fast_exp(state.maximum[i] - shift);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kOwnCols; ++j) {
      scores[i][j] = fast_exp(scores[i][j] - shift);
      sum += scores[i][j];
    }
    state.sum[i] = state.sum[i] * factor + row_sum(sum);
    state.maximum[i] = highest;
#pragma unroll
    for (int d = 0; d < kHeadDim / kColGroups; ++d) state.out[i][d] *= factor;
  }
}

template <int kHeadDim, typename T, typename O>
__device__ void finish_rows(const ForwardOperands<T, O>& a, const Rows<O>& out, int64_t sequence,
                            int64_t head, int64_t first, const RowState<kHeadDim>& state) {
  for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
    const int64_t row = first + row_group() + i * kRowGroups;
    if (row >= a.s.seq_len) continue;
    const float weight = state.sum[i] > 0 ? 1 / state.sum[i] : 0.0f;  // 0: no key was visible
#pragma unroll
    for (int d = 0; d < kHeadDim / kColGroups; ++d) {
      const int column = col_group() + d * kColGroups;
      if (column < a.s.value_dim) out.at(row)[column] = from_float<O>(state.out[i][d] * weight);
    }
    if (col_group() == 0) {
      a.lse[(sequence * a.s.seq_len + row) * a.s.num_heads + head] =
          state.maximum[i] + logf(state.sum[i]);
    }
  }
}

// Block (tile of queries, head, sequence).
template <int kHeadDim, typename T, typename O>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_forward_kernel(ForwardOperands<T, O> a) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTileRows<kHeadDim>, head = blockIdx.y,
                sequence = blockIdx.z, kv_head = head / (a.s.num_heads / a.s.num_kv_heads);
  const auto q = head_rows(a.q, sequence, a.s.seq_len, head, a.s.num_heads, a.s.head_dim);
  const auto k = head_rows(a.k, sequence, a.s.num_keys, kv_head, a.s.num_kv_heads, a.s.head_dim);
  const auto v = head_rows(a.v, sequence, a.s.num_keys, kv_head, a.s.num_kv_heads, a.s.value_dim);
  const auto out = head_rows(a.out, sequence, a.s.seq_len, head, a.s.num_heads, a.s.value_dim);
  float* query = shared_memory<float>();                             // (kTileRows, kHeadDim)
  float* key = query + kTileRows<kHeadDim> * kTileStride<kHeadDim>;  // (kTileCols, kHeadDim)
  float* value = key + kTileCols * kTileStride<kHeadDim>;            // (kTileCols, kHeadDim)
  float* probs = value + kTileCols * kTileStride<kHeadDim>;          // (kTileRows, kTileCols + 1)
  load_tile<kHeadDim>(q, first, kTileRows<kHeadDim>, a.s.seq_len, a.s.head_dim, a.s.scale, query);
  RowState<kHeadDim> state;
  start_rows(a, out, sequence, head, first, state);
  // Positions ascend: keys behind the tile's last query are seen by none of it.
  const int newest = a.queries.position(min(first + kTileRows<kHeadDim>, a.s.seq_len) - 1);
  for (int64_t first_key = 0; first_key < a.s.num_keys; first_key += kTileCols) {
    if (a.keys.position(first_key) > newest) break;
    __syncthreads();  // the tiles before are done with
    load_tile<kHeadDim>(k, first_key, kTileCols, a.s.num_keys, a.s.head_dim, 1.0f, key);
    load_tile<kHeadDim>(v, first_key, kTileCols, a.s.num_keys, a.s.value_dim, 1.0f, value);
    __syncthreads();
    float scores[kOwnRows<kHeadDim>][kOwnCols];
    multiply_rows<kHeadDim>(query, key, scores);
    online_softmax(a.keys, first_key, a.s.num_keys, scores, state);
#pragma unroll
    for (int i = 0; i < kOwnRows<kHeadDim>; ++i) {
#pragma unroll
      for (int j = 0; j < kOwnCols; ++j) {
        probs[(row_group() + i * kRowGroups) * (kTileCols + 1) + col_group() + j * kColGroups] =
            scores[i][j];
      }
    }
    __syncwarp();  // a row of probabilities is written and read by the lanes of one warp
    add_weighted_rows<kHeadDim, kTileCols>(probs, value, state.out);
  }
  finish_rows(a, out, sequence, head, first, state);
}

}  // namespace

void plain_attention_forward(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                             const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                             Merge merge) {
  dispatch_cuda_result(q.dtype(), out.dtype(), [&]<typename T, typename O>() {
    dispatch_head_dim(std::max(s.head_dim, s.value_dim), [&]<int kHeadDim>() {
      const ForwardOperands<T, O> a{sizes_of(s),   spans_of(s.queries), spans_of(s.keys),
                                    q.data<T>(),   k.data<T>(),         v.data<T>(),
                                    out.data<O>(), lse.data<float>(),   merge == Merge::accumulate};
      launch(cuda_of(ctx), "attention_forward", attention_forward_kernel<kHeadDim, T, O>,
             {blocks_of(ceil_div(s.seq_len, kTileRows<kHeadDim>), s.num_heads, s.batch),
              kAttentionThreads,
              kQueryTileBytes<kHeadDim> + 2 * kKeyTileBytes<kHeadDim> + kScoreTileBytes<kHeadDim>},
             a);
    });
  });
}

}  // namespace argosy::ops::detail
