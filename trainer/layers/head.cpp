// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/head.h"

#include <algorithm>

#include "planner/spec/work.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/norm.h"

namespace argosy {

namespace {

const Parameter& projection(const LayerContext& ctx, const ParameterStore& store) {
  if (ctx.plan.model.tied_head) return store.at(-1, TensorRole::embedding);
  return store.at(static_cast<int>(ctx.plan.model.num_layers), TensorRole::head);
}

Norm norm_of(const LayerContext& ctx, const ParameterStore& store, int layer) {
  const ModelSpec& model = ctx.plan.model;
  if (layer > model.num_layers) {
    return {store.at(layer, TensorRole::mtp_final_norm), model.norm_eps};
  }
  return {ctx, store, layer, TensorRole::final_norm, TensorRole::final_norm_bias};
}

}  // namespace

Head::Head(const LayerContext& ctx, const ParameterStore& store, int layer)
    : norm_(norm_of(ctx, store, layer)),
      weight_(&projection(ctx, store)),
      first_id_(
          split_range(ctx.plan.model.vocab_size, ctx.plan.mesh.tp, ctx.groups.coordinates().tp)
              .begin),
      chunk_tokens_(head_chunk_tokens(ctx.plan, ctx.groups.coordinates().tp)) {}

Tensor Head::forward(const LayerContext& ctx, const Microbatch& microbatch, const Hidden& x,
                     HeadState* state, Keep keep, const Tensor& loss_sum) const {
  const bool with_gradient = keep == Keep::for_backward;
  state->x = x.branch;
  if (with_gradient) ctx.device.recategorize(x.branch, MemoryCategory::activations);
  Tensor normed = norm_.forward(ctx, x.branch, x.residual, &state->norm, category_of(keep));
  if (with_gradient && ctx.plan.model.num_mtp_modules > 0) {
    state->gain = ctx.device.empty({ctx.hidden()}, ctx.compute(), MemoryCategory::activations);
    ops::copy(ctx.device, norm_.gain(), state->gain);
  }
  const Tensor hidden = gather_tokens(ctx, normed);  // (n, H)
  Tensor dhidden;                                    // (n, H), this rank's vocabulary alone
  if (with_gradient) dhidden = ctx.scratch(hidden.shape());

  const int64_t n = microbatch.tokens();
  for (int64_t begin = 0; begin < n; begin += chunk_tokens_) {
    const int64_t end = std::min(begin + chunk_tokens_, n);
    add_chunk(ctx,
              {hidden.rows(begin, end), microbatch.targets.rows(begin, end),
               with_gradient ? dhidden.rows(begin, end) : Tensor(), microbatch.loss_weight},
              loss_sum);
  }
  if (with_gradient) state->dnormed = reduce_tokens(ctx, dhidden, MemoryCategory::activations);
  return normed;
}

Tensor Head::normed(const LayerContext& ctx, const HeadState& state) {
  Tensor y = ctx.scratch(state.x.shape());
  ops::rms_norm_apply(ctx.device, state.x, state.gain, state.norm.inverse_std, y);
  return y;
}

void Head::add_chunk(const LayerContext& ctx, const Chunk& chunk, const Tensor& loss_sum) const {
  const auto& [hidden, targets, dhidden, weight] = chunk;
  const bool with_gradient = dhidden.defined();
  const int64_t rows = hidden.dim(0), vocab = weight_->value.dim(0);
  const ops::OwnIds ids{first_id_, vocab};
  Communicator& tp = ctx.groups[Axis::tp];
  const int64_t columns = ops::padded_columns(ctx.device.device(), ctx.compute(), vocab);
  const Tensor logits = ctx.scratch({rows, columns}, ctx.statistic());
  ops::matmul_nt(ctx.device, hidden, weight_->value, logits);

  const Tensor maximum = ctx.scratch({rows}, ctx.statistic()),
               sums = ctx.scratch({2, rows}, ctx.statistic());
  ops::cross_entropy_sums(ctx.device, logits, targets, ids, maximum, sums);
  if (tp.size() > 1) {
    const Tensor of_rank = ctx.scratch({rows}, ctx.statistic());
    ops::copy(ctx.device, maximum, of_rank);
    tp.all_reduce(buffer_of(maximum), ReduceOp::max);
    ops::cross_entropy_rescale(ctx.device, logits, targets, ids, of_rank, maximum, sums);
    tp.all_reduce(buffer_of(sums));
  }
  const Tensor losses = ctx.scratch({rows}, ctx.statistic());
  Tensor dlogits = logits;
  if (with_gradient && ctx.compute() == DType::bf16) {
    // In the compute dtype: a product with an fp32 operand would run at half the rate of bf16.
    dlogits =
        ops::cross_entropy_finish_in_bf16(ctx.device, logits, targets, ids, maximum, sums, losses);
  } else {
    ops::cross_entropy_finish(ctx.device, logits, targets, ids, maximum, sums, losses,
                              with_gradient);
  }

  if (with_gradient) {
    ops::matmul_nn(ctx.device, dlogits, weight_->value, dhidden, {.alpha = weight});
    if (weight_->grad.defined())
      ops::matmul_tn(ctx.device, dlogits, hidden, weight_->grad,
                     {.accumulate = weight_->adds_to_grad(), .alpha = weight});
  }
  ops::add_sum(ctx.device, losses, loss_sum);
}

Tensor Head::backward(const LayerContext& ctx, HeadState* state) const {
  Tensor dx = ctx.scratch(state->x.shape());
  norm_.backward(ctx, state->dnormed, state->x, state->norm, dx, false);
  *state = {};
  return dx;
}

Tensor Head::logits(const LayerContext& ctx, const Hidden& x) const {
  NormStatistics statistics;
  const Tensor hidden = gather_tokens(
      ctx, norm_.forward(ctx, x.branch, x.residual, &statistics, MemoryCategory::workspace));
  Tensor logits = ctx.scratch({hidden.dim(0), weight_->value.dim(0)}, ctx.statistic());
  ops::matmul_nt(ctx.device, hidden, weight_->value, logits);
  return logits;
}

}  // namespace argosy
