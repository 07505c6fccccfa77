// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_setup.h"

#include <algorithm>
#include <cstdio>

#include "checkpoint/checkpoint.h"
#include "checkpoint/exchange.h"
#include "planner/report/units.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

void check_world_size(const Plan& plan, int num_ranks) {
  if (plan.mesh.world_size() == num_ranks) return;
  throw ConfigError(
      concat("the plan needs tp*pp*dp*cp = ", plan.mesh.tp, "*", plan.mesh.pp, "*", plan.mesh.dp,
             "*", plan.mesh.cp, " = ", plan.mesh.world_size(), " ranks, but ", num_ranks,
             " were started; use argosy-launch, or mpirun -np ", plan.mesh.world_size()));
}

std::string list_of(const std::vector<int64_t>& steps) {
  std::string text;
  for (const int64_t step : steps) text += concat(text.empty() ? "" : ", ", step);
  return text.empty() ? "none" : text;
}

}  // namespace

DataStream open_stream(const fs::path& path, const Plan& plan, uint64_t seed) {
  DataStream stream;
  stream.source = open_tokens(path, plan.model.vocab_size);
  stream.order =
      std::make_unique<SampleOrder>(stream.source->num_tokens(), plan.seq_len, seed, path.string());
  return stream;
}

RunInputs open_inputs(Communicator& world, const TrainOptions& options) {
  RunInputs inputs;
  throw_if_failed(agree(world, attempt([&] {
                          inputs.plan = apply_options(read_plan(options.plan), options);
                          check_world_size(inputs.plan, world.size());
                          inputs.data = open_stream(options.data, inputs.plan, inputs.plan.seed);
                          if (!options.eval_data.empty()) {
                            inputs.evaluation = open_stream(options.eval_data, inputs.plan, 0);
                          }
                        })));
  return inputs;
}

fs::path resolve_checkpoint(const fs::path& path, std::vector<std::string>* skipped) {
  if (fs::exists(path / "manifest.json")) return path;
  if (fs::exists(path / "config.json")) {
    throw ConfigError(
        concat(path.string(),
               ": starting from a Hugging Face folder is not supported yet; "
               "valid: a checkpoint of Argosy (step_N, checkpoints or a run folder)"));
  }
  for (const fs::path& folder : {path, path / "checkpoints"}) {
    if (!fs::is_directory(folder)) continue;
    if (const auto step = newest_valid_checkpoint(folder, skipped))
      return checkpoint_path(folder, *step);
  }
  throw ConfigError(
      concat(path.string(), ": no checkpoint here; valid: a step_N, checkpoints or run folder"));
}

int64_t resume_step(Communicator& world, const TrainOptions& options,
                    std::vector<std::string>* skipped) {
  int64_t step = 0;
  const Outcome outcome = attempt([&] {
    if (world.rank() != 0 || options.resume == "none") return;
    const fs::path folder = options.run_dir / "checkpoints";
    const std::vector<int64_t> steps =
        fs::is_directory(folder) ? list_checkpoints(folder) : std::vector<int64_t>{};
    if (options.resume == "auto") {
      if (!steps.empty()) step = newest_valid_checkpoint(folder, skipped).value_or(0);
      return;
    }
    step = std::stoll(options.resume);
    if (std::find(steps.begin(), steps.end(), step) == steps.end()) {
      throw ConfigError(concat("--resume: no checkpoint of step ", step, " in ", folder.string(),
                               "; there are: ", list_of(steps)));
    }
  });
  throw_if_failed(agree(world, outcome));
  return std::stoll(broadcast_string(world, std::to_string(step)));
}

std::string trainable_line(const Plan& plan) {
  const ParameterCount count = count_parameters(plan.model, plan.lora);
  char percent[32];
  std::snprintf(percent, sizeof percent, "%.4f",
                100.0 * static_cast<double>(count.trainable) / static_cast<double>(count.total));
  return concat("trainable params: ", format_grouped(count.trainable),
                " || all params: ", format_grouped(count.total), " || trainable%: ", percent);
}

std::vector<std::string> describe_run(const Plan& plan) {
  const ParameterCount count = count_parameters(plan.model, plan.lora);
  std::string model = concat("model    ", plan.model.name, " (", plan.model.model_type, "), ",
                             format_count(static_cast<double>(count.total)), " parameters");
  if (plan.model.has_moe()) {
    model += concat(", ", format_count(static_cast<double>(count.active)), " active for a token");
  }
  const bool recomputes =
      std::count(plan.recompute.begin(), plan.recompute.end(), Recompute::full) > 0;
  return {model,
          concat("layout   ", to_string(plan.mesh), ", ZeRO ", plan.zero_stage, ", ",
                 to_string(plan.schedule), plan.sequence_parallel ? ", sequence parallel" : "",
                 recomputes ? ", recompute full" : ""),
          concat("batch    ", plan.global_batch, " sequences of ", plan.seq_len, " tokens, ",
                 plan.num_microbatches(), " micro-batches of ", plan.micro_batch, " on each of ",
                 plan.mesh.dp, " data-parallel ranks"),
          concat("numbers  ", to_string(plan.precision), ", ", to_string(plan.optimizer), ", seed ",
                 plan.seed)};
}

}  // namespace argosy
