// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A tiny network on one rank with values that hide nothing: no bias, gain or adapter as it begins.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "comm/self/self_communicator.h"
#include "planner/spec/kv_cache.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/decoder.h"
#include "trainer/device/host_copy.h"
#include "trainer/microbatches.h"
#include "trainer/ops/initialize.h"

namespace argosy {

struct TextModelSpec {
  std::string name;
  TinyModel model = TinyModel::llama;
  int64_t lora_rank = 0;
  int64_t window = 0;  // sliding; 0: as the model has it
  int64_t seq_len = 16;
};

inline Plan plan_of(const TextModelSpec& spec, Precision precision) {
  Layout layout{spec.name, spec.model};
  layout.lora_rank = spec.lora_rank;
  Plan plan = plan_of(layout);
  plan.micro_batch = plan.global_batch = 1;
  plan.seq_len = spec.seq_len;
  if (spec.window > 0) plan.model.sliding_window = spec.window;
  plan.precision = precision;
  validate(plan);
  return plan;
}

struct TextModel {
  TextModel(DeviceContext& on, const TextModelSpec& spec, Precision precision)
      : device(on),
        plan(plan_of(spec, precision)),
        world(make_self_communicator()),
        groups(*world, plan.mesh, plan.model.num_kv_heads),
        router(make_router_state(device, plan, AuxLossScope::sequence)),
        ctx{device, groups, plan, {}, &router},
        store(device, plan, 0, Gradients::none),
        stage(ctx, store, 0) {
    for (const LocalTensor& local : store.layout().tensors) {
      TensorSpec values = store.spec_of(local);
      values.init = Init::normal;
      values.init_std = 0.3;
      for (const KeptPart& part : store.kept(local)) {
        ops::initialize(device, values, part.box, /*seed=*/7,
                        part.values.view({part.box.rows.size(), part.box.cols.size()}));
      }
    }
    store.mark_values_changed();
  }

  // Logits (V) behind each of the tokens, (n * V), by the whole window at once.
  std::vector<double> whole(const std::vector<int32_t>& tokens) {
    return copy_to_doubles(stage.logits(ctx, make_text_microbatch(ctx, tokens, 0)));
  }

  DeviceContext& device;
  Plan plan;
  std::unique_ptr<Communicator> world;
  ProcessGroups groups;
  RouterState router;
  LayerContext ctx;
  ParameterStore store;
  Stage stage;
};

inline std::vector<int32_t> text_of(int64_t num_tokens) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < num_tokens; ++i) tokens.push_back(static_cast<int32_t>((i * i + 3) % 59));
  return tokens;
}

// Largest difference of the last logits (V) among `all`, relative to the largest of those.
inline double last_difference(const std::vector<double>& actual, const std::vector<double>& all) {
  const size_t begin = all.size() - actual.size();
  double difference = 0, scale = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double apart = std::abs(actual[i] - all[begin + i]);
    if (!(apart <= difference)) difference = apart;  // a NaN stays
    scale = std::max(scale, std::abs(all[begin + i]));
  }
  return difference / scale;
}

}  // namespace argosy
