// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/work.h"

#include <algorithm>
#include <map>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

// The shapes from which the work of a rank and its share of the model's FLOPs follow.
struct Shapes {
  RankShape rank, whole, whole_palm;
};

Shapes shapes_of(const Plan& plan, int64_t tp_index) {
  return {rank_shape(plan, tp_index), whole_shape(plan, AttentionPairs::causal),
          whole_shape(plan, AttentionPairs::full)};
}

int64_t block_model_flops(const RankShape& whole, bool is_moe) {
  return pass_flops(block_forward(whole, is_moe)) + pass_flops(block_backward(whole, is_moe));
}

// Blocks of a kind are equal.
struct BlockKind {
  bool is_moe = false, is_windowed = false;
  auto operator<=>(const BlockKind&) const = default;
};

BlockKind kind_of_block(const ModelSpec& model, int64_t layer) {
  return {model.layer_is_moe.at(static_cast<size_t>(layer)), model.is_windowed(layer)};
}

LayerWork block_work(const Shapes& all, BlockKind kind, Recompute recompute) {
  const Shapes shapes = {seen_by_layer(all.rank, kind.is_windowed),
                         seen_by_layer(all.whole, kind.is_windowed),
                         seen_by_layer(all.whole_palm, kind.is_windowed)};
  const bool is_moe = kind.is_moe;
  LayerWork work;
  work.forward = block_forward(shapes.rank, is_moe);
  work.saved_bytes = block_saved_bytes(shapes.rank, is_moe);
  work.workspace_bytes = block_workspace_bytes(shapes.rank, is_moe);
  if (recompute == Recompute::full) {
    work.backward = block_read_in_backward(shapes.rank, is_moe);
    work.unread = block_unread(shapes.rank, is_moe);
    work.saved_bytes = shapes.rank.split_bytes();
  }
  if (recompute == Recompute::selective) {
    work.backward = block_recomputed_attention(shapes.rank);
    work.saved_bytes -= attention_result_bytes(shapes.rank);
  }
  if (is_moe && recompute != Recompute::full) work.routed_bytes = routed_saved_bytes(shapes.rank);
  append(work.backward, block_backward(shapes.rank, is_moe));
  work.backward_weight = block_backward_weight(shapes.rank, is_moe);
  set_backward_memory(work, shapes.rank, is_moe, recompute);
  // The share of one of the ranks: copies of key/value heads are no model FLOPs.
  const int64_t ranks = shapes.rank.tp * shapes.rank.cp;
  work.model_flops = block_model_flops(shapes.whole, is_moe) / ranks;
  work.model_flops_palm = block_model_flops(shapes.whole_palm, is_moe) / ranks;
  return work;
}

LayerWork embedding_work(const Shapes& shapes) {
  LayerWork work;
  work.layer = -1;
  work.forward = embedding_forward(shapes.rank);
  work.backward = embedding_backward(shapes.rank);
  work.workspace_bytes = 2 * shapes.rank.full_bytes();
  return work;
}

LayerWork head_work(const Shapes& shapes) {
  LayerWork work;
  work.layer = static_cast<int>(shapes.rank.model.num_layers);
  work.forward = head_forward(shapes.rank);
  work.backward = head_backward(shapes.rank);
  work.saved_bytes = head_saved_bytes(shapes.rank);
  work.workspace_bytes = head_workspace_bytes(shapes.rank);
  work.model_flops = work.model_flops_palm =
      pass_flops(head_forward(shapes.whole)) / (shapes.rank.tp * shapes.rank.cp);
  return work;
}

// As the last layer, which it stands behind.
LayerWork mtp_work(const Shapes& shapes, const Plan& plan) {
  LayerWork work = block_work(shapes, kind_of_block(plan.model, plan.model.num_layers - 1),
                              plan.recompute.back());
  add_mtp_work(work, shapes.rank);
  const int64_t flops = mtp_projection_flops(shapes.whole) + pass_flops(head_forward(shapes.whole));
  work.model_flops += flops / (shapes.rank.tp * shapes.rank.cp);
  work.model_flops_palm += flops / (shapes.rank.tp * shapes.rank.cp);
  return work;
}

int64_t gradient_bytes_of(const Plan& plan, int64_t elements) {
  return elements * size_in_bytes(gradient_dtype(plan.precision));
}

// Sums over what ranks saw in part, each over the shards of the data-parallel reduction: linear,
// and so the same as before it, but of fewer bytes.
void add_partial_sums(Pass& pass, const Plan& plan, Domain kind, const DomainLayout& domain) {
  int64_t num_tp = 0, num_kv = 0, num_tied = 0;
  for (const Bucket& bucket : domain.buckets) {
    num_tp += tp_summed(bucket).size();
    num_kv += kv_summed(bucket).size();
    if (is_tied_table(plan, bucket)) num_tied += bucket.shard.size();
  }
  const Axis axis = tensor_axis(kind);
  add_collective(pass, CollectiveKind::all_reduce, axis, gradient_bytes_of(plan, num_tp),
                 degree(plan.mesh, axis));
  add_collective(pass, CollectiveKind::all_reduce, Axis::kv_replica,
                 gradient_bytes_of(plan, num_kv),
                 std::max<int64_t>(1, plan.mesh.tp / plan.model.num_kv_heads));
  add_collective(pass, CollectiveKind::all_reduce, Axis::embedding,
                 gradient_bytes_of(plan, num_tied), degree(plan.mesh, Axis::embedding));
}

int64_t moment_bytes_per_element(const Plan& plan) {
  const int64_t num_moments = plan.optimizer == OptimizerKind::adamw ? 2 : 0;
  return num_moments * size_in_bytes(gradient_dtype(plan.precision));
}

}  // namespace

int64_t update_traffic_bytes(const Plan& plan, int64_t elements) {
  const int64_t weight = size_in_bytes(compute_dtype(plan.precision));
  return gradient_bytes_of(plan, elements) +
         2 * elements * (weight + optimizer_bytes_per_element(plan));
}

int64_t optimizer_bytes_per_element(const Plan& plan) {
  const int64_t rest =
      has_master_weights(plan.precision) ? size_in_bytes(DType::int16) : 0;  // of the master
  return moment_bytes_per_element(plan) + rest;
}

int64_t checkpoint_bytes_per_element(const Plan& plan) {
  const int64_t master =
      has_master_weights(plan.precision) ? size_in_bytes(gradient_dtype(plan.precision)) : 0;
  return size_in_bytes(compute_dtype(plan.precision)) + master + moment_bytes_per_element(plan);
}

int64_t head_chunk_tokens(const Plan& plan, int64_t tp_index) {
  CHECK(tp_index >= 0 && tp_index < plan.mesh.tp, "tp index ", tp_index, " of ", plan.mesh.tp);
  // Collectives run once a chunk, so all ranks take the chunks of the one with the longest part.
  const int64_t vocab = split_range(plan.model.vocab_size, plan.mesh.tp, 0).size();
  return head_chunk_tokens(plan.tokens_per_microbatch(), vocab, plan.precision);
}

int64_t head_chunk_tokens(int64_t tokens, int64_t vocab, Precision precision) {
  const int64_t row_bytes = vocab * size_in_bytes(statistic_dtype(precision));
  const int64_t most = std::clamp<int64_t>(kHeadChunkBytes / row_bytes, 1, tokens);
  const int64_t num_chunks = ceil_div(tokens, most);
  return ceil_div(tokens, num_chunks);
}

double expert_load(double imbalance, double capacity_factor) {
  return capacity_factor > 0 ? std::min(imbalance, capacity_factor) : imbalance;
}

std::vector<LayerWork> stage_work(const Plan& plan, int64_t stage, int64_t tp_index,
                                  double expert_load) {
  Shapes shapes = shapes_of(plan, tp_index);
  load_experts(shapes.rank, expert_load);
  const Range layers = layers_of_stage(plan, stage);
  std::vector<LayerWork> result;
  result.reserve(static_cast<size_t>(layers.size() + 2 + plan.model.num_mtp_modules));
  if (stage == 0) result.push_back(embedding_work(shapes));
  std::map<std::pair<BlockKind, Recompute>, LayerWork> kinds;
  for (int64_t layer = layers.begin; layer < layers.end; ++layer) {
    const std::pair kind(kind_of_block(plan.model, layer),
                         plan.recompute.at(static_cast<size_t>(layer)));
    auto known = kinds.find(kind);
    if (known == kinds.end()) {
      known = kinds.emplace(kind, block_work(shapes, kind.first, kind.second)).first;
    }
    result.push_back(known->second);
    result.back().layer = static_cast<int>(layer);
  }
  if (stage < plan.num_stages() - 1) return result;
  result.push_back(head_work(shapes));
  for (int64_t module = 0; module < plan.model.num_mtp_modules; ++module) {
    result.push_back(mtp_work(shapes, plan));
    result.back().layer = plan.model.mtp_layer(module);
  }
  return result;
}

namespace {

// Reduction of a bucket's gradient over the data, or the ranks of it that share shards: once a
// step, or, where shards are kept, after each micro-batch.
void add_reduction(Pass& pass, const Plan& plan, int64_t pipeline_rank, Domain kind,
                   const Bucket& bucket) {
  CollectiveWork work;
  work.kind = plan.zero_stage == 0 ? CollectiveKind::all_reduce : CollectiveKind::reduce_scatter;
  work.axis = shard_axis(plan.mesh, kind);
  work.bytes = gradient_bytes_of(plan, bucket.range.size());
  if (shards_gradients(plan, kind))
    work.count = plan.num_microbatches() * gradient_uses(plan, pipeline_rank, bucket);
  if (degree(plan.mesh, work.axis) > 1) pass.collectives.push_back(work);
}

// Gathers of a bucket's values: after the update, or, where shards are kept, for each use.
void add_gathers(Pass& pass, const Plan& plan, int64_t pipeline_rank, Domain kind,
                 const Bucket& bucket) {
  const bool is_kept_in_shards = shards_parameters(plan, kind);
  if (plan.zero_stage == 0 || (!is_kept_in_shards && !is_trainable(kind))) return;
  CollectiveWork work;
  work.kind = CollectiveKind::all_gather;
  work.axis = shard_axis(plan.mesh, kind);
  work.bytes = gathered_bytes(plan.precision, plan.lora, !is_trainable(kind), bucket.range.size(),
                              bucket.products);
  if (is_kept_in_shards)
    work.count = plan.num_microbatches() * value_uses(plan, pipeline_rank, bucket);
  if (degree(plan.mesh, work.axis) > 1) pass.collectives.push_back(work);
}

}  // namespace

Pass step_work(const Plan& plan, int64_t rank) {
  const RankLayout layout = rank_layout(plan, model_tensors(plan.model, plan.lora), rank);
  const int64_t pipeline_rank = coordinates(plan.mesh, rank).pp;
  Pass pass, update;
  for (int i = 0; i < kNumDomains; ++i) {
    const auto kind = static_cast<Domain>(i);
    const DomainLayout& domain = layout[kind];
    for (const Bucket& bucket : domain.buckets) {
      if (is_trainable(kind)) add_reduction(pass, plan, pipeline_rank, kind, bucket);
      add_gathers(update, plan, pipeline_rank, kind, bucket);
    }
    if (!is_trainable(kind)) continue;
    if (plan.offload == Offload::none) {
      add_memory(update, update_traffic_bytes(plan, domain.num_shard_elements));
    }
    add_collective(pass, CollectiveKind::all_reduce, replica_axis(kind),
                   gradient_bytes_of(plan, domain.num_shard_elements),
                   degree(plan.mesh, replica_axis(kind)));
    add_partial_sums(pass, plan, kind, domain);
  }
  append(pass, update);
  return pass;
}

double model_flops_per_step(const Plan& plan, bool attention_full) {
  const RankShape whole =
      whole_shape(plan, attention_full ? AttentionPairs::full : AttentionPairs::causal);
  std::map<BlockKind, int64_t> blocks;
  for (int64_t layer = 0; layer < plan.model.num_layers; ++layer) {
    ++blocks[kind_of_block(plan.model, layer)];
  }
  const int64_t num_modules = plan.model.num_mtp_modules;
  if (num_modules > 0) blocks[kind_of_block(plan.model, plan.model.num_layers - 1)] += num_modules;
  int64_t flops = (1 + num_modules) * pass_flops(head_forward(whole)) +
                  num_modules * mtp_projection_flops(whole);
  for (const auto& [kind, count] : blocks) {
    flops += count * block_model_flops(seen_by_layer(whole, kind.is_windowed), kind.is_moe);
  }
  const int64_t num_passes = plan.global_batch / plan.micro_batch;
  return static_cast<double>(flops) * static_cast<double>(num_passes);
}

double executed_flops_per_step(const Plan& plan) {
  const int64_t tp = plan.mesh.tp;
  const auto vocab_of = [&](int64_t tp_index) {
    return split_range(plan.model.vocab_size, tp, tp_index).size();
  };
  int64_t flops = 0;
  for (int64_t stage = 0; stage < plan.num_stages(); ++stage) {
    int64_t of_rank = 0;
    for (int64_t tp_index = 0; tp_index < tp; ++tp_index) {
      // Ranks of a tensor-parallel group differ in their parts of the vocabulary alone.
      if (tp_index == 0 || vocab_of(tp_index) != vocab_of(tp_index - 1)) {
        of_rank = 0;
        for (const LayerWork& work : stage_work(plan, stage, tp_index)) {
          of_rank += pass_flops(work.forward) + pass_flops(work.backward);
        }
      }
      flops += of_rank;
    }
  }
  return static_cast<double>(flops) *
         static_cast<double>(plan.mesh.cp * plan.mesh.dp * plan.num_microbatches());
}

}  // namespace argosy
