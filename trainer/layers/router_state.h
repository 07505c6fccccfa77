// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What routers remember from step to step that no gradient trains. Every rank holds it for all
// mixture layers of the model, those of modules for multi-token prediction included (a few numbers
// an expert), and updates it from the same counts, so that all copies stay equal bit for bit.
#pragma once

#include <vector>

#include "planner/spec/plan.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy {

// Whose shares f_i the auxiliary loss sum_i f_i P_i takes: those of the sequence itself, or those
// of the whole global batch of the step before (uniform in the first).
enum class AuxLossScope { sequence, global };

struct RouterState {
  // M mixture layers of the model, E experts, statistic dtype.
  Tensor bias;    // (M, E) joins the scores for the choice; undefined unless the model has one
  Tensor shares;  // (M, E) of the step before; undefined unless the auxiliary loss is global
};

// Bias zero, shares uniform.
RouterState make_router_state(DeviceContext& device, const Plan& plan, AuxLossScope scope);

// After a step. choices: [M][E], flat, of the global batch. The bias of an expert with fewer
// choices than the mean grows by `bias_rate`, with more it shrinks by as much: auxiliary-loss-free
// balancing (Wang et al. 2024, arXiv:2408.15664).
void update_router_state(DeviceContext& device, const std::vector<double>& choices,
                         double bias_rate, RouterState* state);

// Mixture layers of the model; how many of them come before `layer` (TensorSpec::layer).
int64_t num_moe_rows(const ModelSpec& model);
int64_t moe_row(const ModelSpec& model, int64_t layer);

}  // namespace argosy
