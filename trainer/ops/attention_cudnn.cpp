// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Scaled dot-product attention as graphs of cuDNN (its frontend builds them): causal, grouped
// queries, windows; documents as sequences of their own lengths in packed rows; gradients by its
// deterministic algorithm unless CudaAttention allows the other. A graph is built once for each
// shape.
#include <cudnn.h>

#include <map>
#include <vector>

#include "planner/spec/integers.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/cudnn_graphs.h"

namespace argosy::ops::detail {
namespace {

struct GraphCache {
  std::map<GraphKey, BuiltGraph> graphs;
};

BuiltGraph& graph_of(DeviceContext& ctx, const AttentionShape& s, bool is_backward) {
  CudaDevice& device = cuda_of(ctx);
  const int64_t documents = s.document_rows.defined() ? s.document_rows.size() - 1 : 0;
  const GraphKey key{is_backward,
                     s.batch,
                     s.seq_len,
                     s.num_heads,
                     s.num_kv_heads,
                     s.head_dim,
                     s.value_dim,
                     s.window,
                     s.scale,
                     documents,
                     !is_backward || device.state<CudaAttention>().is_deterministic};
  std::map<GraphKey, BuiltGraph>& graphs = device.state<GraphCache>().graphs;
  const auto [place, is_new] = graphs.try_emplace(key);
  if (is_new) {
    const std::string refusal = build_graph(device.cudnn(), key, place->second);
    if (!refusal.empty()) device.state<CudaAttention>().refused[text_of(key)] = refusal;
  }
  return place->second;
}

void run(DeviceContext& ctx, const AttentionShape& s, const BuiltGraph& built, Pointers tensors) {
  DocumentOffsets offsets;  // of this stream's scratch: free as soon as the graph is launched
  if (s.document_rows.defined()) {
    offsets = document_offsets(ctx, s);
    tensors.insert({{kLengths, offsets.lengths.raw()},
                    {kOffsetsOfQ, offsets.q.raw()},
                    {kOffsetsOfK, offsets.k.raw()},
                    {kOffsetsOfV, offsets.v.raw()},
                    {kOffsetsOfOut, offsets.out.raw()},
                    {kOffsetsOfStatistics, offsets.lse.raw()}});
  }
  const Tensor workspace =
      ctx.empty({ceil_div(built.workspace_bytes, 4)}, DType::fp32, MemoryCategory::workspace);
  execute_graph(cuda_of(ctx).cudnn(), built, tensors, workspace.raw());
}

// lse itself, or room for what the graph calls statistics.
Tensor statistics_of(DeviceContext& ctx, const AttentionShape& s, const Tensor& lse) {
  if (s.document_rows.defined()) return lse;
  return ctx.empty({s.batch, s.num_heads, s.seq_len}, DType::fp32, MemoryCategory::workspace);
}

// What a call of the library's gradients gets: all, or as many sequences or documents as its
// scratch has room for.
std::vector<AttentionShape> parts_of(DeviceContext& ctx, const AttentionShape& s) {
  constexpr int64_t kShare = 32;  // of the device's memory: 4.4 GiB of an H200
  auto& settings = cuda_of(ctx).state<CudaAttention>();
  if (!settings.is_deterministic) return {s};
  if (settings.most_scratch_bytes == 0)
    settings.most_scratch_bytes = ctx.backend().total_bytes() / kShare;
  const int64_t documents = s.document_rows.defined() ? s.document_rows.size() - 1 : 0;
  const int64_t count = documents > 0 ? documents : s.batch;
  const int64_t at_once = sequences_at_once(s, settings.most_scratch_bytes);
  std::vector<AttentionShape> parts;
  parts.reserve(static_cast<size_t>(ceil_div(count, at_once)));
  for (int64_t begin = 0; begin < count; begin += at_once) {
    const int64_t size = std::min(at_once, count - begin);
    parts.push_back(s);
    if (documents > 0) {
      parts.back().document_rows = s.document_rows.flat(begin, begin + size + 1, {size + 1});
    } else {
      parts.back().batch = size;
    }
  }
  return parts;
}

}  // namespace

std::string fused_attention_description() {
  const size_t version = cudnnGetVersion();  // major * 10000 + minor * 100 + patch
  return concat("bf16 by cuDNN ", version / 10000, ".", version / 100 % 100, ".", version % 100,
                " (frontend ", cudnn_frontend_version(), "), else by our plain kernel");
}

bool fused_attention_forward(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                             const Tensor& k, const Tensor& v, const Tensor& out,
                             const Tensor& lse) {
  const BuiltGraph& built = graph_of(ctx, s, false);
  if (!built.graph) return false;
  const Tensor statistics = statistics_of(ctx, s, lse);
  run(ctx, s, built,
      {{kQ, q.raw()},
       {kK, k.raw()},
       {kV, v.raw()},
       {kOut, out.raw()},
       {kStatistics, statistics.raw()}});
  if (statistics.raw() != lse.raw()) statistics_to_lse(s, statistics, lse);
  return true;
}

bool fused_attention_backward(DeviceContext& ctx, const AttentionShape& s, const Tensor& dout,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, const Tensor& dq, const Tensor& dk,
                              const Tensor& dv) {
  const std::vector<AttentionShape> parts = parts_of(ctx, s);
  for (const AttentionShape& part : {parts.front(), parts.back()}) {
    if (!graph_of(ctx, part, true).graph) return false;
  }
  int64_t row = 0;  // documents say themselves where they lie
  for (const AttentionShape& part : parts) {
    const int64_t end = row + part.batch * part.seq_len;
    const Tensor own_lse = lse.rows(row, end), statistics = statistics_of(ctx, part, own_lse);
    if (statistics.raw() != own_lse.raw()) lse_to_statistics(part, own_lse, statistics);
    const auto at = [&](const Tensor& x) { return x.rows(row, end).raw(); };
    run(ctx, part, graph_of(ctx, part, true),
        {{kQ, at(q)},
         {kK, at(k)},
         {kV, at(v)},
         {kOut, at(out)},
         {kDout, at(dout)},
         {kStatistics, statistics.raw()},
         {kDq, at(dq)},
         {kDk, at(dk)},
         {kDv, at(dv)}});
    if (!s.document_rows.defined()) row = end;
  }
  return true;
}

}  // namespace argosy::ops::detail
