// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_work.h"

#include <algorithm>
#include <vector>

#include "planner/cost/compute.h"

namespace argosy {

namespace {

// What the host is asked for, in terms of the ops that planner/spec lists: host_op_s and what
// routers add are in the same terms, whatever a framework joins.
double listed_launches(const Job& job, const Pass& pass) {
  const StackFacts& facts = job.stack.facts;
  double launches = 0;
  for (const OpWork& op : pass.ops) {
    launches += op.kind != OpKind::attention ? static_cast<double>(fused(op, facts).count)
                : facts.fuses_attention      ? 1
                                             : kUnfusedAttentionLaunches;
  }
  return launches;
}

// Two products that are one with a wider weight: of the same input, or of the same gradient's sum.
bool can_join(const OpWork& a, const OpWork& b) {
  const bool is_same = a.block_product == b.block_product && a.product_of == b.product_of &&
                       a.count == b.count && a.kind == b.kind;
  switch (a.product_of) {
    case ProductOf::output:
      return is_same && a.rows == b.rows && a.depth == b.depth;
    case ProductOf::input_gradient:
      return is_same && a.rows == b.rows && a.cols == b.cols;
    case ProductOf::weight_gradient:
      return is_same && a.cols == b.cols && a.depth == b.depth;
  }
  return false;
}

void join(const OpWork& op, OpWork& into) {
  into.flops += op.flops;
  if (op.product_of == ProductOf::output) into.cols += op.cols;
  if (op.product_of == ProductOf::input_gradient) into.depth += op.depth;
  if (op.product_of == ProductOf::weight_gradient) into.rows += op.rows;
}

// q, k and v; gate and up. The vectors of latent attention stay apart.
bool is_joined(const Job& job, const OpWork& op) {
  if (op.block_product == BlockProduct::qkv) return !job.model.has_latent_attention();
  return op.block_product == BlockProduct::up || op.block_product == BlockProduct::expert_up;
}

void join_products(const Job& job, Pass& pass) {
  std::vector<OpWork> joined;
  joined.reserve(pass.ops.size());
  for (const OpWork& op : pass.ops) {
    const auto other = std::find_if(joined.begin(), joined.end(),
                                    [&op](const OpWork& o) { return can_join(o, op); });
    if (is_joined(job, op) && other != joined.end()) {
      join(op, *other);
    } else {
      joined.push_back(op);
    }
  }
  pass.ops = std::move(joined);
}

// Bytes of an element as products read it: blocks of 32 (MX) and of 16 elements (NVFP4) have a
// scale of 8 bits (OCP's MX specification; NVIDIA's NVFP4).
double operand_bytes(ProductFormat format) {
  switch (format) {
    case ProductFormat::bf16:
      return 2;
    case ProductFormat::fp8:
      return 1;
    case ProductFormat::mxfp8:
      return 1 + 1.0 / 32;
    case ProductFormat::nvfp4:
      return 0.5 + 1.0 / 16;
  }
  return 2;
}

// Casts of an activation or of a gradient, which the forward product and that of the input's
// gradient make for that of the weight's gradient too: read in 16 bits; written twice, along rows
// and along columns (Hopper multiplies 8 bits along rows alone; MX and NVFP4 scale along both).
// The largest value of a tensor takes a pass before where the scale is that of the tensor itself
// (Float8CurrentScaling, NVFP4BlockScaling of Transformer Engine). Weights are cast once a step
// (is_first_microbatch), which is left out.
double cast_bytes(const Job& job, const OpWork& op) {
  if (op.product_of == ProductOf::weight_gradient) return 0;
  const ProductFormat format = job.stack.format;
  const bool finds_largest = format == ProductFormat::nvfp4 ||
                             (format == ProductFormat::fp8 && job.stack.facts.scales_of_tensors);
  const double activations = static_cast<double>(op.rows) * static_cast<double>(op.depth);
  return activations * ((finds_largest ? 4 : 2) + 2 * operand_bytes(format));
}

double product_bytes(const Job& job, const OpWork& op) {
  const auto rows = static_cast<double>(op.rows), cols = static_cast<double>(op.cols);
  const bool is_narrow = op.is_block_product && job.stack.format != ProductFormat::bf16;
  const double in = is_narrow ? operand_bytes(job.stack.format) : 2;
  const double out = op.product_of == ProductOf::weight_gradient && op.is_block_product
                         ? job.stack.facts.weight_gradient_bytes
                         : 2;
  return (rows + cols) * static_cast<double>(op.depth) * in + rows * cols * out +
         (is_narrow ? cast_bytes(job, op) : 0);
}

void set_tile_share(const Job& job, OpWork& op) {
  const int64_t processors = job.cluster.accelerator.num_multiprocessors;
  if (processors == 0) return;
  OpWork whole = fused(op, job.stack.facts);
  if (whole.count != op.count) whole.rows *= op.count;
  op.tile_share = tile_efficiency(whole, processors);
}

}  // namespace

OpWork fused(OpWork op, const StackFacts& facts) {
  if (op.is_of_logits || (op.kind == OpKind::matmul && facts.fuses_experts)) {
    op.flops *= op.count;
    op.bytes *= op.count;
    op.count = 1;
  }
  return op;
}

void rewrite_for_stack(const Job& job, Pass& pass) {
  const StackFacts& facts = job.stack.facts;
  if (facts.runs_own_kernels) return;
  pass.ops.erase(std::remove_if(pass.ops.begin(), pass.ops.end(),
                                [](const OpWork& op) { return op.is_of_trainer; }),
                 pass.ops.end());
  pass.stack_launches = listed_launches(job, pass);
  // Autograd keeps the outputs of norms, activations and rotations that it reads.
  pass.ops.erase(std::remove_if(pass.ops.begin(), pass.ops.end(),
                                [](const OpWork& op) { return op.is_computed_again; }),
                 pass.ops.end());
  if (facts.joins_products) join_products(job, pass);
  for (OpWork& op : pass.ops) {
    if (op.rows == 0) continue;
    op.bytes = static_cast<int64_t>(product_bytes(job, op));
    set_tile_share(job, op);
  }
}

}  // namespace argosy
