// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What one micro-batch costs in each layer of one rank: FLOPs, bytes kept for backward, bytes
// moved, collectives. The trainer's layers do exactly this (tests compare), the cost model turns it
// into seconds, the ledger adds it up.
//
// Letters: n tokens of a micro-batch on the rank (its part of the sequences, over cp) before the
// sequence-parallel split, s tokens after it (n/tp with sequence parallelism, else n), H hidden, D
// head size, hq and hk query and key/value heads of the rank, F MLP width of the rank, V vocabulary
// rows of the rank, E experts, k top-k, R rows that reach the rank's experts (etp*k*s when routing
// is even: the etp ranks that hold slices of an expert gather their rows), e bytes of the compute
// dtype, z bytes of the statistic dtype, r LoRA rank.
//
// clang-format off
// Kept for backward (the list that every device obeys):
//   block:
//     input                              (s,H)e
//     its norm's statistics              (s)z, LayerNorm twice that
//     q                                  (n,hq*D)e
//     k, v                               (n,hk*D)e each
//     attention output                   (n,hq*D)e
//     its log-sum-exp                    (n,hq)z
//     q_norm's and k_norm's statistics   (n,hq)z and (n,hk)z; over whole projections (n)z each,
//                                        with Ulysses (cp*n)z. q and k are then kept as before it.
//     input of the MLP's norm            (s,H)e
//     its statistics                     as above
//     dense MLP: gate and up             (n,F)e each; GPT-2: up alone
//     MoE: router probabilities          (s,E)z
//          chosen experts                (s,k)int32
//          their weights                 (s,k)z
//          their logits' log-sum-exp     (s)z
//          row order                     (s*k)int32
//          expert inputs                 (R,H)e
//          gate and up                   (R,Fe)e each
//          returned rows                 (s*k,H)e
//     shared expert: gate and up         (n,Fs)e each
//       with shared_gate also its output (s,H)e, and the gate (s)z
//     LoRA: x A^T of each adapted Linear (rows of its input, r)e
//     Norm outputs, activations and RoPE are computed again in backward; sharded inputs of
//     column-parallel Linears are gathered again when a weight or adapter gradient needs them.
//   block, recompute full:
//     its input                          (s,H)e
//     Forward runs again in backward, up to the last of what is kept without recomputation: no
//     further than gate and up (GPT-2: GELU) of a dense MLP and of a shared expert without gate,
//     the rows that experts return, and x A^T of adapted Linears.
//   block, recompute selective:
//     all but the attention output and its log-sum-exp
//     The softmax (with what it exchanges over cp) runs again in backward.
//   embedding:
//     nothing
//   head:
//     final norm's input                 (s,H)e
//     its statistics                     as above
//     gradient of the loss with respect to the normed hidden state
//                                        (s,H)e
//     The head runs its own backward inside forward, in chunks of tokens, so that logits never
//     exist as a whole. In a model with modules for multi-token prediction each head keeps its
//     norm's gain (H)e too.
//   module for multi-token prediction:
//     a block, as above
//     the next tokens' embedding         (s,H)e: input of one of its norms; that of the other, the
//                                        hidden state, is made of what the head before it kept
//     statistics of both norms           as above
//     a head, as above
//   split backward (zb-h1, zb-v), between backward_input and backward_weight of a stage:
//     of each Linear that is trained or adapted, what its gradients read:
//       gradient of its output, its input (q, k, v share one (n,H)e, so do gate and up), and of an
//       adapter x A^T and its gradient
//     Of these the attention output (unless recomputation is selective), expert inputs and x A^T
//     were kept already; the others are new. Router, shared gate, norms, biases and embedding are
//     not put off, and the head's gradients are done.
// Inside a stage the input of a block is the output of the one before it: kept once, by the block
// whose input it is.
// clang-format on
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"

namespace argosy {

enum class OpKind { matmul, attention, memory };

// What a product of a Linear makes: y = x W^T, dx = dy W, dW = dy^T x.
enum class ProductOf { output, input_gradient, weight_gradient };

// One op of a layer, `count` times. matmul: rows x cols x inner; attention: flops as counted;
// memory: bytes read and written alone.
struct OpWork {
  OpKind kind = OpKind::memory;
  int64_t flops = 0;  // of one op: matrix products and attention; 0 for memory-bound ops
  int64_t bytes = 0;  // of one op: moved to and from memory
  int64_t count = 1;  // ops of this size (experts)
  int64_t rows = 0, cols = 0, depth = 0;  // of a product (rows, depth) x (depth, cols); else 0
  double tile_share = 0;          // what tiles leave of the peak: of the cost model; 0: not asked
  bool is_block_product = false;  // with a weight that may be multiplied in 8 bits
  BlockProduct block_product = BlockProduct::none;  // of a block's Linears, adapters aside
  ProductOf product_of = ProductOf::output;
  // In backward, of what forward had and did not keep: outputs of norms, activations, rotations.
  bool is_computed_again = false;
  bool is_expert_activation = false;  // or its gradient
  // A pass of the trainer that other frameworks' kernels do not make, or that their facts count.
  bool is_of_trainer = false;
  bool is_of_logits = false;  // of a chunk of the head: frameworks that keep logits have one chunk
};

struct CollectiveWork {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Axis axis = Axis::tp;
  int64_t bytes = 0;  // of one call: payload as in CollectiveTotal
  int64_t count = 1;  // calls of this size
};

struct Pass {
  std::vector<OpWork> ops;
  std::vector<CollectiveWork> collectives;
  // What the trainer's host puts on a GPU's queue: kernels, products, copies; collectives are not
  // in it. In 16 bits, with cuDNN's attention: casts to 8 bits are not counted. Experts that are
  // small enough for the host to matter are multiplied by one kernel.
  int64_t num_launches = 0;
  double stack_launches = 0;  // the same of another framework's host: of the cost model
};

void append(Pass& pass, const Pass& more);

struct LayerWork {
  int layer = 0;  // -1: embedding, num_layers: final norm and head, beyond: multi-token prediction
  Pass forward, backward;  // backward includes what `recompute` runs again
  Pass backward_weight;    // the part of backward that a split backward puts off
  Pass unread;             // recompute full: of forward what backward need not run again
  int64_t saved_bytes = 0;
  int64_t routed_bytes = 0;  // of saved_bytes, rows of experts: their number varies with routing
  // Kept beside what was alive before, at most, while backward or backward_input runs.
  int64_t backward_extra_bytes = 0, backward_input_extra_bytes = 0;
  int64_t deferred_bytes = 0;   // kept from backward_input to backward_weight
  int64_t workspace_bytes = 0;  // largest scratch at once, an upper bound
  int64_t model_flops =
      0;  // forward and backward as MFU counts them: no recomputation, causal half of attention
  int64_t model_flops_palm = 0;  // the same with full attention
};

// The layers of `stage` for the rank at tensor-parallel index `tp_index`: [embedding] blocks
// [head [modules for multi-token prediction]].
// `expert_load`: rows that reach the rank's experts, a share of those of even routing.
std::vector<LayerWork> stage_work(const Plan& plan, int64_t stage, int64_t tp_index = 0,
                                  double expert_load = 1.0);

// Rows of the rank whose experts are asked for most, a share of the mean: `imbalance` of the
// router's choices, but no more than a capacity lets in (0: dropless).
double expert_load(double imbalance, double capacity_factor);

// Work of the step that is not per micro-batch: the reduction over the data of each bucket, sums of
// the shards over tp, kv replicas and the stages of a tied table, the optimizer's bytes, ZeRO-1's
// gather of each bucket.
Pass step_work(const Plan& plan, int64_t rank);

// Optimizer state of one element: two AdamW moments, none for SGD, and the 16 bits of a bf16
// weight's fp32 master that the weight has not.
int64_t optimizer_bytes_per_element(const Plan& plan);
// Bytes that the update of that many owned elements moves: gradient read; state and weight read and
// written.
int64_t update_traffic_bytes(const Plan& plan, int64_t elements);
// What a checkpoint holds of one trained element: weight, whole master, moments.
int64_t checkpoint_bytes_per_element(const Plan& plan);

// Tokens per chunk of the head, which runs in as few chunks of equal length as keep a chunk's
// logits (rows of V in fp32 or fp64) within kHeadChunkBytes, at least one token each. Every chunk
// reads the projection twice and adds to its whole gradient, so that chunks of few tokens would
// wait for memory: with GPT-2's vocabulary 128 MiB are 668 tokens, 167 operations for each byte of
// that sum.
inline constexpr int64_t kHeadChunkBytes = int64_t{128} << 20;
int64_t head_chunk_tokens(const Plan& plan, int64_t tp_index);

// MFU numerators of a whole step, all ranks together: forward and backward, no recomputation,
// active experts only, LoRA without the frozen weights' gradients. attention_full: PaLM's
// convention, without the causal half. Doubles: a step of a large cluster exceeds int64.
double model_flops_per_step(const Plan& plan, bool attention_full = false);
// What runs, recomputation included: HFU's numerator.
double executed_flops_per_step(const Plan& plan);

}  // namespace argosy
