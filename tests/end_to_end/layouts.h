// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The layouts that are proven equal to one rank. Adding one is adding a line to layouts.cpp.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/plan.h"
#include "trainer/trainer.h"

namespace argosy {

// A tiny network with awkward sizes: prime vocabulary, layers that do not divide by the stages.
enum class TinyModel {
  llama,
  qwen2_tied,
  qwen2_windows,  // in the layers from the second on
  qwen3,
  qwen3_moe,
  gpt2,
  mixtral,
  qwen2_moe,
  ungated_moe,   // the same, its shared expert without a gate
  sigmoid_moe,   // balancing bias, groups, scaled weights, 6 experts
  group_moe,     // softmax scores, groups, a shared expert
  two_experts,   // sigmoid scores, one choice of two: a large bias sends all tokens to one
  gpt_oss,       // sinks, biases everywhere, clamped activation, a window in every other layer
  gpt_oss_wide,  // the same, its window as long as a sequence: a ring knows no shorter one
  five_experts,  // one choice of five: fewer tokens on a rank than experts
  olmoe,         // norms over all heads of a token together
  glm4_moe,      // a part of each head turns, a dense layer first, a shared expert
  deepseek,      // latent attention, a dense layer, then sigmoid scores in groups, a shared expert
  moonlight,     // the same but for its queries, which are made of the input itself
  latent_dense,  // latent attention without experts
  // With modules for multi-token prediction:
  deepseek_mtp,  // two, as the other, with an auxiliary loss
  glm_mtp,       // one, as the other
  dense_mtp,     // two, without experts
  tied_mtp       // the same with a tied head
};

struct Layout {
  std::string name;
  TinyModel model = TinyModel::llama;
  Mesh mesh = {};
  int zero_stage = 0;
  int64_t micro_batch = 1;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  Recompute recompute = Recompute::none;
  int64_t lora_rank = 0;
  bool sequence_parallel = true;  // with tp > 1
  OptimizerKind optimizer = OptimizerKind::sgd;
  ContextParallel cp_kind = ContextParallel::ring;  // with mesh.cp > 1
  int64_t virtual_stages = 1;
  int64_t num_layers = 0;                      // 0: as many as the model has
  std::vector<int64_t> layers_per_stage = {};  // empty: the default split
  double dropout = 0;
  bool document_mask = false;
  AuxLossScope aux_loss_scope = AuxLossScope::sequence;
  double moe_capacity_factor = 0;
  double router_bias_rate = 0.05;
  int64_t base_bits = kUnquantizedBits;  // with lora_rank > 0
  bool mixed_recompute = false;          // layer by layer: none, selective, full, and again
  Offload offload = Offload::none;
};

inline void PrintTo(const Layout& layout, std::ostream* out) {
  *out << layout.name;
}

const std::vector<Layout>& layouts();

// Two features that no line of the table has together, as a layout; or why they cannot be: the
// message of validate().
struct FeaturePair {
  Layout layout;
  std::string refusal;
};
// All pairs of features that the table leaves out (feature_pairs.cpp).
std::vector<FeaturePair> pairs_beside_the_table();
// Those that can be.
std::vector<Layout> layouts_of_pairs();
// The line of the table with this name; throws std::invalid_argument when there is none.
const Layout& layout_named(std::string_view name);

// fp64, global batch 12, 8 tokens a sequence.
Plan plan_of(const Layout& layout);
// What a run of it sets besides the plan, the same on one rank: no clipping, dropout, document
// masks, a bias that moves fast.
TrainerSettings settings_of(const Layout& layout);
// The same run on one rank, in one micro-batch, without recomputation.
Plan reference_plan_of(const Layout& layout);

}  // namespace argosy
