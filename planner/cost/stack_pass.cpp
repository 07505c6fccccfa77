// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_pass.h"

#include <algorithm>

#include "planner/cost/compute.h"

namespace argosy {

namespace {

// Passes over the scores of unfused attention, 2 bytes each: written by the product, scale and
// mask, softmax and dropout read and write them, dropout its mask, the second product reads them.
constexpr double kUnfusedForwardPasses = 6.5, kUnfusedBackwardPasses = 8;
constexpr double kScoreBytes = 2;
// Until all ranks of a group have started the kernel of a collective: an estimate.
constexpr double kCollectiveStartS = 15e-6;
// Bytes read and written to make the 8-bit copies of a product's inputs, per byte of its 16-bit
// operands; block-scaled formats make a second, transposed one. Estimates.
constexpr double kCastShare = 0.5, kBlockScaledCastShare = 0.75;
// Products of 4 bits run at twice the peak of 8 bits, but only the forward and one of the two
// backward products of part of the layers use it (NVIDIA's NVFP4 recipe).
constexpr double kFourBitGain = 1.35;

// Tiles are loaded while others are multiplied, but not for nothing: the sum fits better than the
// greater one, as Calculon found.
double product_seconds(OpWork op, const Accelerator& accelerator) {
  const auto bytes = static_cast<double>(op.bytes * op.count);
  op.bytes = 0;
  return op_seconds(op, accelerator, Precision::bf16) + memory_seconds(bytes, accelerator);
}

// All pairs, not the causal half, and their scores in memory.
double unfused_attention_seconds(const OpWork& op, int64_t head_dim, bool is_backward,
                                 const Accelerator& accelerator) {
  const double pairs = static_cast<double>(op.flops) /
                       (static_cast<double>(head_dim) * (is_backward ? 8.0 : 4.0)) * 2;
  OpWork products;
  products.kind = OpKind::matmul;
  products.flops = 2 * op.flops;
  const double passes = is_backward ? kUnfusedBackwardPasses : kUnfusedForwardPasses;
  return op_seconds(products, accelerator, Precision::bf16) +
         passes * memory_seconds(pairs * kScoreBytes, accelerator);
}

void add_op(const StackRun& run, const StackProfile& stack, const Machine& machine, OpWork op,
            LayerKind kind, bool is_backward, PassTime& time) {
  const Accelerator& plain = machine.cluster.accelerator;
  if (op.kind == OpKind::memory && kind != LayerKind::head) {
    time.num_launches += static_cast<double>(op.count);
    time.ops_s += op_seconds(op, plain, Precision::bf16);
    return;
  }
  if (op.kind == OpKind::attention) {
    const double seconds =
        stack.fuses_attention
            ? op_seconds(op, machine.attention, Precision::bf16)
            : unfused_attention_seconds(op, run.job.model.head_dim, is_backward, plain);
    time.attention_s += seconds;
    time.ops_s += seconds;
    time.num_launches += stack.fuses_attention ? 1 : 6;
    return;
  }
  // Chunks of the head, products of experts: one op where the stack makes one of them.
  if (kind == LayerKind::head || stack.fuses_experts) {
    op.flops *= op.count;
    op.bytes *= op.count;
    op.count = 1;
  }
  time.num_launches += static_cast<double>(op.count);
  if (kind == LayerKind::head) {
    if (op.kind == OpKind::matmul) op.bytes = 0;  // chunks read the table again and again
    time.ops_s += op_seconds(op, plain, Precision::bf16);
    return;
  }
  time.ops_s += product_seconds(op, machine.products);
  if (machine.cast_share > 0) {
    time.ops_s += machine.cast_share * static_cast<double>(op.count) *
                  memory_seconds(static_cast<double>(op.bytes), plain);
  }
}

}  // namespace

Machine machine_of(const StackRun& run, const StackNumbers& numbers) {
  Machine machine;
  machine.cluster = seen_by(run.job.cluster, numbers);
  machine.products = machine.attention = machine.cluster.accelerator;
  machine.attention.bf16_flops_per_s =
      run.job.cluster.accelerator.bf16_flops_per_s * numbers.attention_share;
  if (run.format == ProductFormat::bf16) return machine;
  machine.products.bf16_flops_per_s = machine.cluster.accelerator.fp8_flops_per_s;
  if (run.format == ProductFormat::nvfp4) machine.products.bf16_flops_per_s *= kFourBitGain;
  machine.cast_share = run.format == ProductFormat::fp8 ? kCastShare : kBlockScaledCastShare;
  return machine;
}

double memory_seconds(double bytes, const Accelerator& accelerator) {
  OpWork op;
  op.bytes = static_cast<int64_t>(bytes);
  return op_seconds(op, accelerator, Precision::bf16);
}

PassTime pass_time(const StackRun& run, const StackProfile& stack, const Machine& machine,
                   const Pass& pass, LayerKind kind, bool is_backward) {
  PassTime time;
  bool seen_backward_attention = false;  // recomputation comes first in a backward pass
  const bool recomputes = run.candidate.recompute != Recompute::none;
  for (const OpWork& op : pass.ops) {
    bool backward = is_backward;
    if (op.kind == OpKind::attention && is_backward && recomputes) {
      backward = seen_backward_attention;
      seen_backward_attention = true;
    }
    add_op(run, stack, machine, op, kind, backward, time);
  }
  for (const CollectiveWork& work : pass.collectives) {
    if (work.kind == CollectiveKind::recv) continue;  // both directions at once
    double seconds =
        static_cast<double>(work.count) *
        collective_seconds(work.kind, work.bytes, run.placements[static_cast<size_t>(work.axis)],
                           machine.cluster);
    if (seconds <= 0) continue;
    seconds += static_cast<double>(work.count) * kCollectiveStartS;
    time.num_launches += static_cast<double>(work.count);
    if (work.axis == Axis::cp) {
      time.context_s += seconds;
    } else {
      (work.axis == Axis::ep ? time.expert_s : time.tensor_s) += seconds;
    }
  }
  return time;
}

double pass_seconds(const PassTime& time, const StackProfile& stack, const StackNumbers& numbers) {
  const double exposed_s = time.tensor_s * (1 - stack.tensor_overlap) +
                           time.expert_s * (1 - stack.expert_overlap) +
                           std::max(0.0, time.context_s - time.attention_s);
  return std::max(time.ops_s + exposed_s, time.num_launches * numbers.host_op_s);
}

}  // namespace argosy
