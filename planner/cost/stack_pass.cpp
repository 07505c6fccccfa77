// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_pass.h"

#include <algorithm>

#include "planner/cost/compute.h"
#include "planner/cost/stack_work.h"

namespace argosy {

namespace {

// Passes over the scores of unfused attention, 2 bytes each: written by the product, scale and
// mask, softmax and dropout read and write them, dropout its mask, the second product reads them.
constexpr double kUnfusedForwardPasses = 6.5, kUnfusedBackwardPasses = 8;
constexpr double kScoreBytes = 2;
// Products of 4 bits run at twice the peak of 8 bits or more, but some layers stay in 16 bits
// (NVIDIA's NVFP4 recipe). 405B in NVFP4 is 1.49 times as fast as in MXFP8 on GB200 and 1.48 times
// on GB300, of which what is no product takes a fifth.
constexpr double kFourBitGain = 1.7;

double memory_seconds(double bytes, const Accelerator& accelerator) {
  OpWork op;
  op.bytes = static_cast<int64_t>(bytes);
  return op_seconds(op, accelerator, Precision::bf16);
}

double flop_seconds(const OpWork& op, const Accelerator& accelerator) {
  if (op.tile_share <= 0) {
    return op_seconds(op, accelerator, Precision::bf16);
  }
  const double share =
      accelerator.sustained_share * accelerator.matmul_efficiency.back().efficiency * op.tile_share;
  const double seconds = static_cast<double>(op.flops) / (accelerator.bf16_flops_per_s * share);
  return static_cast<double>(op.count) * (seconds + accelerator.op_overhead_s);
}

// Tiles are loaded while others are multiplied, but not for nothing: the sum fits better than the
// greater one, as Calculon found.
double product_seconds(OpWork op, const Accelerator& accelerator) {
  const auto bytes = static_cast<double>(op.bytes * op.count);
  op.bytes = 0;
  return flop_seconds(op, accelerator) + memory_seconds(bytes, accelerator);
}

// Products of 16 bits whose rows are no multiple of 16 bytes do not run on tensor cores.
constexpr int64_t kAlignedElements = 8;

// All pairs, not the causal half, and their scores in memory.
// What products keep of their rate where rows of their operands are multiples of this many elements
// of 16 bits: loads of 16 bytes are the widest. From the heads of vTrain's single-node runs: 25,128
// rows at tp 2, 12,564 at tp 4 (a FLOP takes 1.65 times as long), 50,257 at tp 1 (2.9 times); in
// between the geometric mean.
double aligned_share(int64_t elements) {
  if (elements % 8 == 0) return 1;
  if (elements % 4 == 0) return 0.6;
  if (elements % 2 == 0) return 0.45;
  return 0.33;
}

double unfused_attention_seconds(const OpWork& op, int64_t head_dim, bool is_backward,
                                 const Accelerator& accelerator) {
  const double pairs = static_cast<double>(op.flops) /
                       (static_cast<double>(head_dim) * (is_backward ? 8.0 : 4.0)) * 2;
  OpWork products;
  products.kind = OpKind::matmul;
  products.flops = 2 * op.flops;
  const double passes = is_backward ? kUnfusedBackwardPasses : kUnfusedForwardPasses;
  const bool is_aligned = head_dim % kAlignedElements == 0;
  return op_seconds(products, accelerator, is_aligned ? Precision::bf16 : Precision::fp32) +
         passes * memory_seconds(pairs * kScoreBytes, accelerator);
}

// Kernels skip what a query does not see: of T (T+1)/2 pairs T/L documents leave L (L+1)/2 each.
// Unfused attention masks what it has computed.
OpWork within_documents(OpWork op, const Job& job) {
  const bool skips = job.document_tokens > 0 && job.stack.facts.fuses_attention;
  if (op.kind != OpKind::attention || !skips) return op;
  const auto length = static_cast<double>(job.seq_len);  // of a phase, it may be shorter
  const double share = (std::min(job.document_tokens, length) + 1) / (length + 1);
  op.flops = static_cast<int64_t>(static_cast<double>(op.flops) * share);
  return op;
}

void add_op(const Job& job, const SeenAccelerator& seen, const OpWork& listed, bool is_backward,
            int64_t vocab, PassOps& ops) {
  const StackFacts& facts = job.stack.facts;
  double& seconds = ops.kind_s[static_cast<size_t>(listed.kind)];
  if (listed.kind == OpKind::attention) {
    seconds += facts.fuses_attention
                   ? op_seconds(listed, seen.attention, Precision::bf16)
                   : unfused_attention_seconds(listed, job.model.head_dim, is_backward, seen.plain);
    return;
  }
  OpWork op = fused(listed, facts);
  if (op.is_of_logits && op.kind == OpKind::matmul) {
    op.bytes = 0;  // chunks read the table again and again
    seconds += flop_seconds(op, seen.plain) / (facts.pads_vocabulary ? 1.0 : aligned_share(vocab));
    return;
  }
  if (op.kind == OpKind::memory) {
    const bool has_biases = op.is_expert_activation && job.model.moe.has_biases;
    const double passes = has_biases ? 1 + facts.expert_bias_passes : 1;
    seconds += passes * op_seconds(op, seen.plain, Precision::bf16);
    return;
  }
  seconds += product_seconds(op, seen.products);
}

}  // namespace

SeenAccelerator::SeenAccelerator(const Job& job) : plain(job.cluster.accelerator) {
  const StackNumbers& numbers = job.stack.numbers;
  const double peak = plain.bf16_flops_per_s;
  plain.bf16_flops_per_s *= numbers.matmul_share;
  plain.fp8_flops_per_s *= numbers.low_precision_share;
  plain.memory_bytes_per_s *= numbers.memory_share;
  products = attention = plain;
  attention.bf16_flops_per_s = peak * numbers.attention_share;
  const ProductFormat format = job.stack.format;
  if (format == ProductFormat::bf16) return;
  products.bf16_flops_per_s = plain.fp8_flops_per_s;
  if (format == ProductFormat::nvfp4) products.bf16_flops_per_s *= kFourBitGain;
}

PassOps pass_ops(const Job& job, const SeenAccelerator& seen, Recompute recompute, int64_t tp,
                 const Pass& pass, bool is_backward) {
  const int64_t vocab = job.model.vocab_size / tp;
  PassOps ops;
  bool seen_backward_attention = false;  // recomputation comes first in a backward pass
  for (const OpWork& listed : pass.ops) {
    const OpWork op = within_documents(listed, job);
    if (job.stack.facts.runs_own_kernels &&
        (op.kind != OpKind::attention || job.stack.facts.fuses_attention)) {
      ops.kind_s[static_cast<size_t>(op.kind)] +=
          op_seconds(op, job.cluster.accelerator, job.precision);
      continue;
    }
    bool backward = is_backward;
    if (op.kind == OpKind::attention && is_backward && recompute != Recompute::none) {
      backward = seen_backward_attention;
      seen_backward_attention = true;
    }
    add_op(job, seen, op, backward, vocab, ops);
  }
  ops.num_launches =
      job.stack.facts.is_own ? static_cast<double>(pass.num_launches) : pass.stack_launches;
  return ops;
}

}  // namespace argosy
