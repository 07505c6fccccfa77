// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A dense MLP on already normed tokens: SwiGLU (gate, up, down) or GPT-2's GELU (up, down). Its
// width is split over tp. Mixture layers use it for their shared expert.
#pragma once

#include <optional>

#include "trainer/layers/context.h"
#include "trainer/layers/linear.h"

namespace argosy {

struct MlpState {
  Tensor gate, up;                       // (n, F); gate with SwiGLU alone
  Tensor gate_lora, up_lora, down_lora;  // (n, r)
};

// The three roles of a dense MLP or of a shared expert.
struct MlpRoles {
  TensorRole gate, up, down;
};
inline constexpr MlpRoles kDenseMlp = {TensorRole::gate, TensorRole::up, TensorRole::down};
inline constexpr MlpRoles kSharedExpert = {TensorRole::shared_gate_proj, TensorRole::shared_up_proj,
                                           TensorRole::shared_down_proj};

class Mlp {
 public:
  Mlp(const LayerContext& ctx, const ParameterStore& store, int layer, const MlpRoles& roles);

  // input (s, H) -> (s, H) in `category`.
  Tensor forward(const LayerContext& ctx, const Tensor& input, MlpState* state, Keep keep,
                 MemoryCategory category) const;
  // What backward() reads of a forward pass with Keep::for_backward: the state, no output.
  void restore(const LayerContext& ctx, const Tensor& input, MlpState* state) const;
  // True if backward() reads `input`.
  bool needs_input() const { return up_.needs_input() || (gate_ && gate_->needs_input()); }
  // dy (s, H) -> gradient of the input (s, H), scratch. input (s, H) may be undefined when
  // !needs_input().
  Tensor backward(const LayerContext& ctx, const Tensor& dy, const Tensor& input,
                  const MlpState& state) const;

 private:
  // input (s, H) -> gate and up of the state, in `kept`; returns their activation (n, F), scratch,
  // if `activates` or where it is GELU, which comes with its input.
  Tensor widen(const LayerContext& ctx, const Tensor& input, MlpState* state, MemoryCategory kept,
               bool activates) const;

  std::optional<Linear> gate_;
  Linear up_, down_;
  const Parameter* down_bias_;
};

}  // namespace argosy
