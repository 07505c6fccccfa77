// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/mlp.h"

#include "trainer/layers/deferred.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

Mlp::Mlp(const LayerContext& ctx, const ParameterStore& store, int layer, const MlpRoles& roles)
    : up_(ctx, store, layer, roles.up, roles.up == TensorRole::up ? TensorRole::up_bias : roles.up),
      down_(ctx, store, layer, roles.down),
      down_bias_(roles.down == TensorRole::down ? store.find(layer, TensorRole::down_bias)
                                                : nullptr) {
  if (ctx.plan.model.mlp == MlpKind::swiglu) gate_.emplace(ctx, store, layer, roles.gate);
}

Tensor Mlp::widen(const LayerContext& ctx, const Tensor& input, MlpState* state,
                  MemoryCategory kept, bool activates) const {
  const ProductOperand x = gather_tokens(ctx, input);  // (n, H)
  const Shape wide = {x.values().dim(0), up_.out_features()};
  state->up = ctx.device.empty(wide, ctx.compute(), kept);
  if (!gate_) {  // one product makes both
    Tensor activated = ctx.scratch(wide);
    up_.forward_gelu(ctx, x, state->up, activated, &state->up_lora, kept);
    return activated;
  }
  up_.forward(ctx, x, state->up, &state->up_lora, kept);
  state->gate = ctx.device.empty(wide, ctx.compute(), kept);
  gate_->forward(ctx, x, state->gate, &state->gate_lora, kept);
  if (!activates) return Tensor();
  Tensor activated = ctx.scratch(wide);
  ops::swiglu_forward(ctx.device, state->gate, state->up, activated);
  return activated;
}

void Mlp::restore(const LayerContext& ctx, const Tensor& input, MlpState* state) const {
  const MemoryCategory kept = category_of(Keep::for_backward);
  const Tensor activated = widen(ctx, input, state, kept, down_.has_adapter());
  if (down_.has_adapter()) down_.forward_adapter_input(ctx, activated, &state->down_lora, kept);
}

Tensor Mlp::forward(const LayerContext& ctx, const Tensor& input, MlpState* state, Keep keep,
                    MemoryCategory category) const {
  const MemoryCategory kept = category_of(keep);
  const Tensor activated = widen(ctx, input, state, kept, true);
  const Tensor partial = ctx.scratch({activated.dim(0), ctx.hidden()});
  down_.forward(ctx, activated, partial, &state->down_lora, kept);
  Tensor y = reduce_tokens(ctx, partial, category);
  if (down_bias_ != nullptr) ops::add_bias(ctx.device, down_bias_->value, y);
  return y;
}

Tensor Mlp::backward(const LayerContext& ctx, const Tensor& dy, const Tensor& input,
                     const MlpState& state) const {
  if (down_bias_ != nullptr && down_bias_->grad.defined())
    ops::bias_backward(ctx.device, dy, down_bias_->grad);

  const Tensor dup = ctx.scratch(state.up.shape());  // with SwiGLU first the activation's gradient
  Tensor dgate;
  {
    const Tensor activated = ctx.scratch(state.up.shape());
    if (gate_) {
      ops::swiglu_forward(ctx.device, state.gate, state.up, activated);
    } else {
      ops::gelu_forward(ctx.device, state.up, activated);
    }
    down_.backward(ctx, gather_gradient(ctx, dy, down_.needs_input()), activated, state.down_lora,
                   dup, false, gate_ ? Tensor() : state.up);
    if (gate_) {
      // The memory of `activated` is free now, unless the gradient of down is still to read it.
      const bool is_kept = ctx.deferred != nullptr && down_.needs_input();
      dgate = is_kept ? ctx.scratch(state.gate.shape()) : activated;
      const Tensor& dactivated = dup;
      ops::swiglu_backward(ctx.device, dactivated, state.gate, state.up, dgate, dup);
    }
  }

  ProductOperand x;
  if (needs_input()) x = gather_tokens(ctx, input);
  const Tensor dx = ctx.scratch({state.up.dim(0), ctx.hidden()});
  up_.backward(ctx, dup, x, state.up_lora, dx, false);
  if (gate_) gate_->backward(ctx, dgate, x, state.gate_lora, dx, true);
  return reduce_tokens(ctx, dx, MemoryCategory::workspace);
}

}  // namespace argosy
