// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention.h"
#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/cuda_elements.cuh"

namespace argosy::ops::detail {
namespace {

bool is_whole(const std::vector<AttentionSpan>& spans) {
  return spans.size() == 1 && spans[0].position == 0;
}

// What the library is asked about at all.
bool is_for_library(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                    const Tensor& result, Merge merge) {
  return !cuda_of(ctx).state<CudaAttention>().plain_only && merge == Merge::overwrite &&
         q.dtype() == DType::bf16 && result.dtype() == DType::bf16 && q.size() > 0 &&
         is_whole(s.queries) && is_whole(s.keys) && !s.document_begin.defined();
}

// Element i of `to` (B, T, H), or of (B, H, T), from the other.
template <bool kToLse>
struct TurnStatistics {
  const float* from;
  float* to;
  int64_t seq_len, num_heads;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t inner = kToLse ? num_heads : seq_len, outer = kToLse ? seq_len : num_heads;
    const int64_t col = i % inner, row = i / inner % outer, sequence = i / (inner * outer);
    to[i] = from[(sequence * inner + col) * outer + row];
  }
};

}  // namespace

void statistics_to_lse(const AttentionShape& s, const Tensor& statistics, const Tensor& lse) {
  const TurnStatistics<true> op{statistics.data<float>(), lse.data<float>(), s.seq_len,
                                s.num_heads};
  for_elements<1>(cuda_of(lse), "statistics_to_lse", lse.size(), false, op);
}

void lse_to_statistics(const AttentionShape& s, const Tensor& lse, const Tensor& statistics) {
  const TurnStatistics<false> op{lse.data<float>(), statistics.data<float>(), s.seq_len,
                                 s.num_heads};
  for_elements<1>(cuda_of(lse), "lse_to_statistics", lse.size(), false, op);
}

template <>
void attention_forward<Device::cuda>(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                                     const Tensor& k, const Tensor& v, const Tensor& out,
                                     const Tensor& lse, Merge merge) {
  const bool done =
      is_for_library(ctx, s, q, out, merge) && fused_attention_forward(ctx, s, q, k, v, out, lse);
  if (!done) plain_attention_forward(ctx, s, q, k, v, out, lse, merge);
}

template <>
void attention_backward<Device::cuda>(DeviceContext& ctx, const AttentionShape& s,
                                      const Tensor& dout, const Tensor& q, const Tensor& k,
                                      const Tensor& v, const Tensor& out, const Tensor& lse,
                                      const Tensor& dq, const Tensor& dk, const Tensor& dv,
                                      Merge merge) {
  const bool done = is_for_library(ctx, s, q, dq, merge) &&
                    fused_attention_backward(ctx, s, dout, q, k, v, out, lse, dq, dk, dv);
  if (!done) plain_attention_backward(ctx, s, dout, q, k, v, out, lse, dq, dk, dv, merge);
}

}  // namespace argosy::ops::detail
