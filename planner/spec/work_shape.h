// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The letters of work.h as numbers, and the few sentences in which the work of a layer is told:
// products, memory-bound ops, collectives, Linears with and without adapters. Not for use outside
// of spec.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/spec/work.h"

namespace argosy {

// What one rank works on in one micro-batch. The letter of work.h stands behind each number.
struct RankShape {
  const ModelSpec& model;  // kinds of layers; both are the plan's, which outlives this
  const LoraSpec& lora;
  int64_t tokens = 0, split_tokens = 0;        // n, s
  int64_t hidden = 0, head_dim = 0;            // H, D
  int64_t value_dim = 0;                       // of a value head: D but for latent attention
  int64_t q_heads = 0, kv_heads = 0;           // hq, hk (copies of kv heads included)
  int64_t ffn = 0, vocab = 0;                  // F, V
  int64_t head_chunk_tokens = 0;               // c, the same on all ranks of the tp group
  int64_t experts = 0, top_k = 0;              // E, k
  int64_t expert_rows = 0, local_experts = 0;  // R (even routing unless loaded), E / ep
  int64_t exchanged_rows = 0;  // k*s (even routing unless loaded): of an all-to-all over ep
  int64_t expert_ffn = 0, shared_ffn = 0;  // Fe, Fs
  // Query-key pairs of the micro-batch's whole sequences, which cp ranks share; in windowed layers.
  int64_t pairs = 0, window_pairs = 0;
  int64_t element_bytes = 0, statistic_bytes = 0;  // e, z
  int64_t tp = 1, cp = 1, ep = 1, etp = 1;         // sizes of the groups
  ContextParallel cp_kind = ContextParallel::ring;
  bool sequence_parallel = false;  // and tp > 1
  bool is_frozen = false;          // the base of a LoRA job

  int64_t full_bytes() const { return tokens * hidden * element_bytes; }         // (n, H)e
  int64_t split_bytes() const { return split_tokens * hidden * element_bytes; }  // (s, H)e
};

enum class AttentionPairs { causal, full };

RankShape rank_shape(const Plan& plan, int64_t tp_index,
                     AttentionPairs pairs = AttentionPairs::causal);
// The same micro-batch on one rank that holds everything: what MFU counts.
RankShape whole_shape(const Plan& plan, AttentionPairs pairs);

// `count` products of `rows` rows each: one for a dense Linear, one an expert.
struct RowGroup {
  int64_t rows = 0, count = 1;
};

// y (rows, outputs) = x (rows, inputs) W^T on this rank, with LoRA + scale (x A^T) B^T.
struct LinearWork {
  std::array<RowGroup, 2> groups{};  // experts with a row more and the others; else one
  int64_t inputs = 0, outputs = 0, element_bytes = 0;
  bool is_trainable = true;
  bool is_block_product = false, is_quantized = false;
  BlockProduct block_product = BlockProduct::none;
  int64_t lora_rank = 0;  // 0: no adapter

  // The weight's or adapter's gradient reads the input.
  bool reads_input_in_backward() const { return is_trainable || lora_rank > 0; }
  int64_t num_rows() const;
  // Weights that each pass brings out of NF4, one after the other, and the bytes of one there.
  int64_t num_dequantized() const;
  int64_t dequantized_bytes() const;
  int64_t adapter_bytes() const { return num_rows() * lora_rank * element_bytes; }  // x A^T
  int64_t output_bytes() const { return num_rows() * outputs * element_bytes; }
};
LinearWork linear(const RankShape& shape, TensorRole role, int64_t rows, int64_t inputs,
                  int64_t outputs);
// Scales what routing brings to this rank's experts (work.h: expert_load).
void load_experts(RankShape& shape, double expert_load);
// The largest weight of these that is brought out of NF4.
int64_t dequantized_workspace_bytes(const std::vector<LinearWork>& linears, const LinearWork& last);
// One of the three products of this rank's experts, expert_rows spread as evenly as they can be.
LinearWork expert_linear(const RankShape& shape, TensorRole role, int64_t inputs, int64_t outputs);

// As in work.h, of the tokens and the longest part of the vocabulary that a rank has.
int64_t head_chunk_tokens(int64_t tokens, int64_t vocab, Precision precision);

// `launches`: of Pass::num_launches; of products one each.
void add_matmul(Pass& pass, int64_t rows, int64_t cols, int64_t inner, int64_t element_bytes,
                int64_t count = 1, bool is_block_product = false);
// The op, to be told more of; null where nothing is moved.
OpWork* add_memory(Pass& pass, int64_t bytes, int64_t launches = 1);
// Of the trainer alone (OpWork::is_of_trainer).
void add_memory_of_trainer(Pass& pass, int64_t bytes, int64_t launches);
// What backward needs and forward did not keep.
void add_memory_again(Pass& pass, int64_t bytes);
// Launches for a norm's gradients: the input's, and sums for each parameter that is trained.
int64_t norm_backward_launches(const RankShape& shape);
// A stable sort of items with keys below `num_keys` (trainer/ops/sort_cuda.cu): three kernels a
// digit of 8 bits.
int64_t sort_launches(int64_t num_keys);
void add_forward(Pass& pass, const LinearWork& linear);
void add_backward(Pass& pass, const LinearWork& linear);
// add_forward() in two: what the adapter's backward reads, x A^T, and what it does not.
void add_adapter_input(Pass& pass, const LinearWork& linear);
void add_output(Pass& pass, const LinearWork& linear);
void add_backward_weight(Pass& pass, const LinearWork& linear);  // the part of it that can wait

// Nothing in a group of one rank.
void add_collective(Pass& pass, CollectiveKind kind, Axis axis, int64_t bytes, int64_t group_size);

// Around every tensor-parallel region. Into it, (s, H) -> (n, H): sequence-parallel ranks gather,
// others have everything. Out of it, partial sums (n, H) -> (s, H).
void add_tp_gather(Pass& pass, const RankShape& shape);
void add_tp_reduce(Pass& pass, const RankShape& shape);

int64_t pass_flops(const Pass& pass);

// What makes q, k and v: three Linears, or those around the latents of latent attention.
struct AttentionWork {
  std::vector<LinearWork> in;
  LinearWork o;
  // Of latent attention: rows of the rank's part of the sequence, outputs that all ranks need.
  int64_t latent_width = 0;
};
AttentionWork attention_linears(const RankShape& shape);
// The shape as a layer with (or without) an attention window sees it: its `pairs`.
RankShape seen_by_layer(RankShape shape, bool is_windowed);
// The vectors of statistics that norms of q and k keep: (n, heads)z, of whole projections (n)z, or
// of all tokens of the sequences where heads are exchanged.
int64_t qk_statistic_bytes(const RankShape& shape);
int64_t query_bytes(const RankShape& shape);
int64_t key_bytes(const RankShape& shape);
int64_t value_bytes(const RankShape& shape);
int64_t attention_output_bytes(const RankShape& shape);
// Before and after the Linears of `in`: gather their input or, between them, the latents.
void add_attention_gather(Pass& pass, const RankShape& shape, const AttentionWork& attention);
void add_attention_input_reduce(Pass& pass, const RankShape& shape, const AttentionWork& attention);
// What backward makes anew of the inputs of `in`, where gradients of their weights read them.
void add_attention_inputs_again(Pass& pass, const RankShape& shape, const AttentionWork& attention);
// Latent attention's memory-bound ops between its Linears: norms, columns that are put together
// and taken apart, the parts that turn; and their gradients.
void add_latent_ops(Pass& pass, const RankShape& shape);
void add_latent_ops_backward(Pass& pass, const RankShape& shape);
// What products of weights' gradients read, made anew by backward: inputs of the Linears of `in`,
// each counted once.
int64_t attention_inputs_bytes(const RankShape& shape, const AttentionWork& attention);
// Latents and their norms' statistics, kept for backward; 0 without them.
int64_t latent_saved_bytes(const RankShape& shape, const AttentionWork& attention);

// A gated (or GPT-2's plain) MLP on (n, width): the dense one, and the shared expert of a MoE.
struct MlpWork {
  std::vector<LinearWork> in;  // gate and up, or up alone
  LinearWork down;
  int64_t width = 0;
};
MlpWork dense_mlp(const RankShape& shape);
MlpWork shared_mlp(const RankShape& shape);

// The layers. Blocks: `is_moe` says which MLP; passes are without recomputation.
Pass block_forward(const RankShape& shape, bool is_moe);
// Its two parts: up to the last value that backward reads, which Recompute::full runs again, and
// the rest.
Pass block_read_in_backward(const RankShape& shape, bool is_moe);
Pass block_unread(const RankShape& shape, bool is_moe);
// What Recompute::selective runs again, and what it does not keep.
Pass block_recomputed_attention(const RankShape& shape);
int64_t attention_result_bytes(const RankShape& shape);
Pass block_backward(const RankShape& shape, bool is_moe);
int64_t block_saved_bytes(const RankShape& shape, bool is_moe);
int64_t block_workspace_bytes(const RankShape& shape, bool is_moe);

// What a split backward pass keeps until the weights' gradients are made: what forward kept anyway,
// and what the first half adds.
struct DeferredBytes {
  int64_t kept = 0, added = 0;
};
void add_deferred(DeferredBytes& bytes, const LinearWork& linear);  // but for the Linear's input
DeferredBytes attention_deferred_bytes(const RankShape& shape, Recompute recompute);
DeferredBytes mlp_deferred_bytes(const RankShape& shape, const MlpWork& mlp);
DeferredBytes moe_deferred_bytes(const RankShape& shape);
Pass block_backward_weight(const RankShape& shape, bool is_moe);
void add_attention_backward_weight(Pass& pass, const RankShape& shape);
void add_mlp_backward_weight(Pass& pass, const MlpWork& mlp);
void add_moe_backward_weight(Pass& pass, const RankShape& shape);
// Fills deferred_bytes and both extras of a block.
void set_backward_memory(LayerWork& work, const RankShape& shape, bool is_moe, Recompute recompute);

Pass embedding_forward(const RankShape& shape);
Pass embedding_backward(const RankShape& shape);

Pass head_forward(const RankShape& shape);
Pass head_backward(const RankShape& shape);
int64_t head_saved_bytes(const RankShape& shape);
int64_t head_workspace_bytes(const RankShape& shape);

// A module for multi-token prediction, as work of the last stage, around the block `work`.
void add_mtp_work(LayerWork& work, const RankShape& shape);
int64_t mtp_projection_flops(const RankShape& whole);

// The MLP half of a MoE block; work_block.cpp has the rest of the block.
void add_moe_read_in_backward(Pass& pass, const RankShape& shape);
void add_moe_unread(Pass& pass, const RankShape& shape);
void add_moe_backward(Pass& pass, const RankShape& shape);
int64_t moe_saved_bytes(const RankShape& shape);
int64_t routed_saved_bytes(const RankShape& shape);  // of these, rows of the experts here
int64_t moe_workspace_bytes(const RankShape& shape);

// Gather, products, activation; the last product and its reduce, which backward does not read. The
// norm before it is not included.
void add_mlp_read_in_backward(Pass& pass, const RankShape& shape, const MlpWork& mlp);
void add_mlp_unread(Pass& pass, const RankShape& shape, const MlpWork& mlp);
void add_mlp_backward(Pass& pass, const RankShape& shape, const MlpWork& mlp);
int64_t mlp_saved_bytes(const RankShape& shape, const MlpWork& mlp);
int64_t mlp_workspace_bytes(const RankShape& shape, const MlpWork& mlp);

// Statistics of one norm over (rows, ...): RMS 1, LayerNorm 2 numbers a row.
int64_t norm_statistic_bytes(const RankShape& shape, int64_t rows);

}  // namespace argosy
