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

// row: the shape of all heads.
BuiltGraph& graph_of(DeviceContext& ctx, const AttentionShape& s, const AttentionShape& row,
                     bool is_backward) {
  CudaDevice& device = cuda_of(ctx);
  const int64_t documents = s.document_rows.defined() ? s.document_rows.size() - 1 : 0;
  GraphKey key{is_backward,
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
  if (s.num_heads < row.num_heads) {
    key.row_heads = row.num_heads;
    key.row_kv_heads = row.num_kv_heads;
  }
  std::map<GraphKey, BuiltGraph>& graphs = device.state<GraphCache>().graphs;
  const auto [place, is_new] = graphs.try_emplace(key);
  if (is_new) {
    const std::string refusal = build_graph(device.cudnn(), key, place->second);
    if (!refusal.empty()) device.state<CudaAttention>().refused[text_of(key)] = refusal;
  }
  return place->second;
}

// s: with the heads of a row.
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

// All at once, or what the library's scratch has room for. Throws ConfigError where there is none
// even for a few heads of a sequence.
std::vector<AttentionPart> parts_of_call(DeviceContext& ctx, const AttentionShape& s) {
  auto& settings = cuda_of(ctx).state<CudaAttention>();
  if (!settings.is_deterministic) return {AttentionPart{s, 0, 0}};
  if (settings.device_bytes == 0) settings.device_bytes = ctx.backend().total_bytes();
  const int64_t most_bytes = settings.most_scratch_bytes > 0
                                 ? settings.most_scratch_bytes
                                 : most_ordered_bytes(settings.device_bytes);
  const GradientCall call = gradient_call_of(s);
  const GradientPart at_once = gradient_part(call, most_bytes);
  check_ordered_scratch(call, at_once, settings.device_bytes);
  return parts_of(s, at_once);
}

// Rows and heads of a part, in tensors of all heads.
struct PartOf {
  const AttentionPart& part;
  const AttentionShape& row;

  int64_t end() const { return part.first_row + part.shape.batch * part.shape.seq_len; }
  void* at(const Tensor& x, int64_t first_head, int64_t size) const {
    const int64_t bytes = first_head * size * size_in_bytes(x.dtype());
    return static_cast<char*>(x.rows(part.first_row, end()).raw()) + bytes;
  }
  int64_t first_kv_head() const { return part.first_head / (row.num_heads / row.num_kv_heads); }
  void* of_query(const Tensor& x) const { return at(x, part.first_head, row.head_dim); }
  void* of_key(const Tensor& x) const { return at(x, first_kv_head(), row.head_dim); }
  void* of_value(const Tensor& x) const { return at(x, first_kv_head(), row.value_dim); }
  void* of_result(const Tensor& x) const { return at(x, part.first_head, row.value_dim); }
  // Of lse a column is a head; of statistics a head has seq_len columns.
  void* of_statistics(const Tensor& x) const {
    const int64_t of_head = row.document_rows.defined() ? 1 : row.seq_len;
    return x.data<float>() + part.first_head * of_head;
  }
};

}  // namespace

std::string fused_attention_description() {
  const size_t version = cudnnGetVersion();  // major * 10000 + minor * 100 + patch
  return concat("bf16 by cuDNN ", version / 10000, ".", version / 100 % 100, ".", version % 100,
                " (frontend ", cudnn_frontend_version(), "), else by our plain kernel");
}

bool fused_attention_forward(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                             const Tensor& k, const Tensor& v, const Tensor& out,
                             const Tensor& lse) {
  const BuiltGraph& built = graph_of(ctx, s, s, false);
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
  const std::vector<AttentionPart> parts = parts_of_call(ctx, s);
  for (const AttentionPart& part : parts) {
    if (!graph_of(ctx, part.shape, s, true).graph) return false;
  }
  Tensor statistics;  // of the sequences from `first_row` on
  int64_t first_row = -1;
  for (const AttentionPart& part : parts) {
    const PartOf of{part, s};
    AttentionShape row = part.shape;  // with all heads
    row.num_heads = s.num_heads;
    row.num_kv_heads = s.num_kv_heads;
    if (part.first_row != first_row) {
      first_row = part.first_row;
      const Tensor own_lse = lse.rows(first_row, of.end());
      statistics = statistics_of(ctx, row, own_lse);
      if (statistics.raw() != own_lse.raw()) lse_to_statistics(row, own_lse, statistics);
    }
    run(ctx, row, graph_of(ctx, part.shape, s, true),
        {{kQ, of.of_query(q)},
         {kK, of.of_key(k)},
         {kV, of.of_value(v)},
         {kOut, of.of_result(out)},
         {kDout, of.of_result(dout)},
         {kStatistics, of.of_statistics(statistics)},
         {kDq, of.of_query(dq)},
         {kDk, of.of_key(dk)},
         {kDv, of.of_value(dv)}});
  }
  return true;
}

}  // namespace argosy::ops::detail
