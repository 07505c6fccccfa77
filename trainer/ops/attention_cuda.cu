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
  const bool knows_documents = !s.document_begin.defined() || s.document_rows.defined();
  return !cuda_of(ctx).state<CudaAttention>().plain_only && merge == Merge::overwrite &&
         q.dtype() == DType::bf16 && result.dtype() == DType::bf16 && q.size() > 0 &&
         q.size() <= INT32_MAX && result.size() <= INT32_MAX && is_whole(s.queries) &&
         is_whole(s.keys) && num_keys(s) == s.seq_len && knows_documents;
}

struct TurnRows {
  const int32_t* rows;
  int32_t *q, *k, *v, *out, *lse, *lengths;
  int64_t documents, heads, kv_heads, head_dim, value_dim;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t row = rows[i];
    q[i] = static_cast<int32_t>(row * heads * head_dim);
    k[i] = static_cast<int32_t>(row * kv_heads * head_dim);
    v[i] = static_cast<int32_t>(row * kv_heads * value_dim);
    out[i] = static_cast<int32_t>(row * heads * value_dim);
    lse[i] = static_cast<int32_t>(row * heads);
    if (i < documents) lengths[i] = rows[i + 1] - rows[i];
  }
};

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

DocumentOffsets document_offsets(DeviceContext& ctx, const AttentionShape& s) {
  const int64_t size = s.document_rows.size();
  const auto empty = [&](int64_t count) {
    return ctx.empty({count}, DType::int32, MemoryCategory::workspace);
  };
  const DocumentOffsets offsets{empty(size), empty(size), empty(size),
                                empty(size), empty(size), empty(size - 1)};
  const TurnRows op{s.document_rows.data<int32_t>(),
                    offsets.q.data<int32_t>(),
                    offsets.k.data<int32_t>(),
                    offsets.v.data<int32_t>(),
                    offsets.out.data<int32_t>(),
                    offsets.lse.data<int32_t>(),
                    offsets.lengths.data<int32_t>(),
                    size - 1,
                    s.num_heads,
                    s.num_kv_heads,
                    s.head_dim,
                    s.value_dim};
  for_elements<1>(cuda_of(ctx), "document_offsets", size, false, op);
  return offsets;
}

GradientCall gradient_call_of(const AttentionShape& s) {
  const bool has_documents = s.document_rows.defined();
  return {.count = has_documents ? s.document_rows.size() - 1 : s.batch,
          .seq_len = s.seq_len,
          .num_heads = s.num_heads,
          .num_kv_heads = s.num_kv_heads,
          .has_documents = has_documents};
}

void check_ordered_scratch(const GradientCall& call, const GradientPart& at_once,
                           int64_t device_bytes) {
  const int64_t bytes = ordered_scratch_bytes(call, at_once);
  if (2 * bytes <= device_bytes) return;
  constexpr double kGiB = int64_t{1} << 30;
  throw ConfigError(concat("attention's gradients in a fixed order over sequences of ",
                           call.seq_len, " tokens take ", static_cast<double>(bytes) / kGiB,
                           " GiB of scratch for ", at_once.heads, " heads at a time, of ",
                           static_cast<double>(device_bytes) / kGiB,
                           " GiB of the device; valid: --deterministic off, or shorter sequences"));
}

std::vector<AttentionPart> parts_of(const AttentionShape& s, const GradientPart& at_once) {
  const GradientCall call = gradient_call_of(s);
  const int64_t group = s.num_heads / s.num_kv_heads;
  std::vector<AttentionPart> parts;
  for (int64_t begin = 0; begin < call.count; begin += at_once.count) {
    const int64_t count = std::min(at_once.count, call.count - begin);
    for (int64_t head = 0; head < s.num_heads; head += at_once.heads) {
      AttentionPart part{s, 0, head};
      part.shape.num_heads = std::min(at_once.heads, s.num_heads - head);
      part.shape.num_kv_heads = part.shape.num_heads / group;
      if (call.has_documents) {  // which say themselves where they lie
        part.shape.document_rows = s.document_rows.flat(begin, begin + count + 1, {count + 1});
      } else {
        part.shape.batch = count;
        part.first_row = begin * s.seq_len;
      }
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

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

template <>
std::string attention_description<Device::cuda>() {
  return fused_attention_description();
}

}  // namespace argosy::ops::detail
