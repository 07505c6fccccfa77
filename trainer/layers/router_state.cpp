// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/router_state.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "trainer/ops/router_totals.h"

namespace argosy {

int64_t num_moe_rows(const ModelSpec& model) {
  return static_cast<int64_t>(model.moe_layers().size());
}

int64_t moe_row(const ModelSpec& model, int64_t layer) {
  const std::vector<int> layers = model.moe_layers();
  return std::lower_bound(layers.begin(), layers.end(), layer) - layers.begin();
}

RouterState make_router_state(DeviceContext& device, const Plan& plan, AuxLossScope scope) {
  RouterState state;
  if (!plan.model.has_moe()) return state;
  const int64_t experts = plan.model.moe.num_experts;
  const Shape shape = {num_moe_rows(plan.model), experts};
  const DType dtype = statistic_dtype(plan.precision);
  if (plan.model.moe.has_balancing_bias()) {
    state.bias = device.zeros(shape, dtype, MemoryCategory::buffers);
  }
  if (scope == AuxLossScope::global) {
    state.shares = device.zeros(shape, dtype, MemoryCategory::buffers);
    const std::vector<double> even(static_cast<size_t>(shape.size()), 1.0);
    ops::assign_shares(device, even, state.shares);
  }
  return state;
}

void update_router_state(DeviceContext& device, const std::vector<double>& choices,
                         double bias_rate, RouterState* state) {
  if (state->bias.defined() && bias_rate > 0) {
    ops::balance_bias(device, choices, bias_rate, state->bias);
  }
  if (state->shares.defined()) ops::assign_shares(device, choices, state->shares);
}

}  // namespace argosy
