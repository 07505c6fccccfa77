// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/generate_command.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <vector>

#include "checkpoint/exchange.h"
#include "planner/spec/philox.h"
#include "trainer/device/host_copy.h"
#include "trainer/layers/stage.h"
#include "trainer/microbatches.h"
#include "trainer/model_checkpoint.h"
#include "trainer/start_point.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

// The same model on one rank, a sequence at a time.
Plan generation_plan(const Plan& trained) {
  Plan plan = single_rank(trained);
  plan.micro_batch = plan.global_batch = 1;
  plan.moe_capacity_factor = 0;  // every token is wanted
  validate(plan);
  return plan;
}

// Probabilities of the k likeliest tokens at a temperature; logits: (V).
std::vector<double> distribution(const std::vector<double>& logits, double temperature,
                                 int64_t top_k) {
  std::vector<double> sorted = logits;
  const size_t keep =
      top_k > 0 ? std::min(static_cast<size_t>(top_k), logits.size()) : logits.size();
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(keep - 1),
                   sorted.end(), std::greater<>());
  const double threshold = sorted[keep - 1],
               maximum = *std::max_element(logits.begin(), logits.end());
  std::vector<double> weights(logits.size(), 0.0);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= threshold) weights[i] = std::exp((logits[i] - maximum) / temperature);
  }
  return weights;
}

int32_t sample(const std::vector<double>& logits, const TrainOptions& options, uint64_t index) {
  const auto likeliest = std::max_element(logits.begin(), logits.end()) - logits.begin();
  if (options.temperature == 0) return static_cast<int32_t>(likeliest);
  const std::vector<double> weights = distribution(logits, options.temperature, options.top_k);
  double total = 0;
  for (const double weight : weights) total += weight;
  double rest = uniform(options.seed.value_or(0), hash_name("generate"), index) * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    rest -= weights[i];
    if (rest < 0) return static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(likeliest);  // rounding at the very end of the range
}

// Logits of the token after `tokens`.
std::vector<double> next_logits(const LayerContext& ctx, Stage& stage,
                                const std::vector<int32_t>& tokens) {
  const int64_t length = std::min<int64_t>(static_cast<int64_t>(tokens.size()), ctx.plan.seq_len);
  const std::vector<int32_t> window(tokens.end() - length, tokens.end());
  const std::vector<int32_t> no_targets(window.size(), -1);
  const Tensor logits = stage.logits(ctx, make_microbatch(ctx, window, no_targets, 1, length))
                            .rows(length - 1, length);
  return copy_to_doubles(logits);
}

}  // namespace

int run_generate(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 std::ostream& out) {
  if (world.size() != 1) {
    throw AgreedConfigError(
        concat("--generate runs on one rank, but ", world.size(), " were started"));
  }
  if (options.prompt.empty()) throw ConfigError("--generate: the prompt is empty");
  const std::filesystem::path from = options.init.empty() ? options.run_dir : options.init;
  if (from.empty()) throw ConfigError("--generate needs --run-dir or --init: whose weights?");
  std::vector<std::string> skipped;
  const std::filesystem::path folder = resolve_checkpoint(from, &skipped);
  const Plan plan = generation_plan(apply_options(
      parse_plan(read_manifest(folder).plan_json, (folder / "manifest.json").string()), options));

  ProcessGroups groups(world, plan.mesh, plan.model.num_kv_heads);
  RouterState router = make_router_state(device, plan, AuxLossScope::sequence);
  const LayerContext ctx{device, groups, plan, {}, &router};
  ParameterStore store(device, plan, 0);
  Stage stage(ctx, store, 0);
  restore_checkpoint(ctx, folder, Restore::weights, store, nullptr);

  std::vector<int32_t> tokens = encode_bytes(options.prompt);
  out << options.prompt << std::flush;
  for (int64_t i = 0; i < options.max_new_tokens; ++i) {
    const int32_t token =
        sample(next_logits(ctx, stage, tokens), options, static_cast<uint64_t>(i));
    if (token == kEndOfText) break;
    tokens.push_back(token);
    out << decode_bytes({token}) << std::flush;
  }
  out << '\n';
  return kExitDone;
}

}  // namespace argosy
