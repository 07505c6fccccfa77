// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/start_point.h"

#include <algorithm>
#include <set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/exchange.h"
#include "checkpoint/hf/adapter_folder.h"
#include "checkpoint/hf/model_folder.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "trainer/option_changes.h"
#include "trainer/run_setup.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

std::string list_of(const std::vector<int64_t>& steps) {
  std::string text;
  for (const int64_t step : steps) append_listed(text, step);
  return text.empty() ? "none" : text;
}

// The step that --resume means; 0: start afresh.
int64_t resume_step(const TrainOptions& options, std::vector<std::string>* skipped) {
  if (options.resume == "none") return 0;
  const fs::path folder = options.run_dir / "checkpoints";
  const std::vector<int64_t> steps =
      fs::is_directory(folder) ? list_checkpoints(folder) : std::vector<int64_t>{};
  if (options.resume == "auto") {
    if (steps.empty()) return 0;
    if (const auto newest = newest_valid_checkpoint(folder, skipped)) return *newest;
    throw ConfigError(concat("--resume auto: none of the ", steps.size(), " checkpoints in ",
                             folder.string(), " is whole (", skipped->front(),
                             "), and a start from the first step would drop what the run has ",
                             "written; valid: another --run-dir"));
  }
  const int64_t step = std::stoll(options.resume);
  if (std::find(steps.begin(), steps.end(), step) == steps.end()) {
    throw ConfigError(concat("--resume: no checkpoint of step ", step, " in ", folder.string(),
                             "; there are: ", list_of(steps)));
  }
  return step;
}

void check_resumable(const Manifest& stored, const Plan& plan) {
  const auto state = [&](const char* key) {
    const auto it = stored.state.find(key);
    return it == stored.state.end() ? std::string() : it->second;
  };
  const std::string seed = state("seed"), optimizer = state("optimizer");
  if (!seed.empty() && seed != std::to_string(plan.seed)) {
    throw ConfigError(concat("--seed: ", plan.seed, ", but the checkpoint's run has ", seed,
                             ": samples would be read in another order; resume with --seed ",
                             seed));
  }
  if (!optimizer.empty() && optimizer != to_string(plan.optimizer)) {
    throw ConfigError(concat("--resume: the checkpoint was written with ", optimizer,
                             ", the plan has ", to_string(plan.optimizer), "; plan with ",
                             "--optimizer ", optimizer, ", or start a new run with --init"));
  }
}

// Sample N of a run is what the plan's batch and sequence length make it, of the file that is read.
std::vector<std::string> changes_of_samples(const Manifest& stored, const Plan& plan,
                                            const TrainOptions& options) {
  std::vector<std::string> changes;
  const Json then = Json::parse(stored.plan_json, nullptr, /*allow_exceptions=*/false);
  const auto of_plan = [&](const char* key, int64_t now) {
    const bool is_known = then.is_object() && then.contains(key) && then[key].is_number_integer();
    return is_known ? then[key].get<int64_t>() : now;
  };
  const int64_t batch = of_plan("global_batch", plan.global_batch);
  const int64_t seq_len = of_plan("seq_len", plan.seq_len);
  if (batch != plan.global_batch || seq_len != plan.seq_len) {
    changes.push_back(concat("--resume: the checkpoint's run has read ", stored.step * batch,
                             " samples of ", seq_len, " tokens, this plan goes on behind ",
                             stored.step * plan.global_batch, " of ", plan.seq_len,
                             ": some are left out or read twice"));
  }
  const auto data = stored.state.find("data");
  if (data != stored.state.end() && data->second != options.data.string()) {
    changes.push_back(concat("--data: ", options.data.string(), ", the checkpoint's run read ",
                             data->second, ": this file is begun at sample ",
                             stored.step * plan.global_batch + 1));
  }
  return changes;
}

// What the run's earlier part was told otherwise; its run.cfg is still there.
void warn_of_changed_options(const TrainOptions& options, StartPoint* start) {
  const fs::path earlier = options.run_dir / "run.cfg";
  if (!fs::exists(earlier)) return;
  const Outcome outcome = attempt([&] {
    const std::string changes = changed_options(read_text_file(earlier), options.resolved);
    if (changes.empty()) return;
    start->warnings.push_back(
        concat("--resume: options differ from those the run has had: ", changes));
  });
  if (!outcome.ok())
    start->warnings.push_back(concat("--resume: earlier options are not known: ", outcome.message));
}

bool holds_adapters(const Manifest& stored) {
  return std::any_of(stored.tensors.begin(), stored.tensors.end(), [](const StoredTensor& tensor) {
    return tensor.name.find(".lora_") != std::string::npos;
  });
}

// The newest checkpoint before `step`; 0: there is none.
int64_t step_before(const fs::path& checkpoints_dir, int64_t step) {
  int64_t before = 0;
  for (const int64_t other : list_checkpoints(checkpoints_dir)) {
    if (other < step) before = other;
  }
  return before;
}

// Tensors of equal shapes may be of another network: "rope_theta is 10000.0 there, ...".
std::vector<std::string> changes_of_config(const fs::path& folder, const Plan& plan) {
  const std::set<std::string> unread = {"_name_or_path", "torch_dtype",          "dtype",
                                        "architectures", "transformers_version", "use_cache"};
  const std::string where = (folder / "config.json").string();
  const Json theirs = parse_json(read_text_file(where), where);
  const Json ours = parse_json(plan.model.config_json, "the model of the plan");
  std::vector<std::string> changes;
  for (const auto& [key, value] : ours.items()) {
    if (unread.contains(key) || !theirs.contains(key) || theirs[key] == value) continue;
    changes.push_back(concat("--init: ", key, " is ", theirs[key].dump(), " in ", where, ", ",
                             value.dump(), " in the plan"));
  }
  return changes;
}

void find_model_of_hf(const TrainOptions& options, const Plan& plan, StartPoint* start) {
  naming("--init", [&] {
    find_hf_model(options.init, plan.model);  // looks at names and shapes
    start->warnings = changes_of_config(options.init, plan);
  });
  start->checkpoint = options.init;
}

void find_adapter(const TrainOptions& options, const Plan& plan, StartPoint* start) {
  if (options.init_adapter.empty()) return;
  naming("--init-adapter", [&] {
    if (plan.task != Task::lora) {
      throw ConfigError(concat("the plan's task is ", to_string(plan.task),
                               ": it has no adapters; valid: a plan of --task lora"));
    }
    find_peft_adapter(options.init_adapter, plan);  // looks at keys, names and shapes
  });
  start->adapter = options.init_adapter;
}

void warn_of_passed_over(const std::vector<std::string>& problems, StartPoint* start) {
  for (const std::string& problem : problems)
    start->warnings.push_back("damaged checkpoint passed over: " + problem);
}

// A start from the run's own checkpoint of this step.
StartPoint start_at(int64_t step, const TrainOptions& options, const Plan& plan,
                    const std::vector<std::string>& skipped) {
  StartPoint start;
  start.step = step;
  start.checkpoint = checkpoint_path(options.run_dir / "checkpoints", step);
  warn_of_passed_over(skipped, &start);
  const Manifest stored = read_manifest(start.checkpoint);
  naming("--resume", [&] {
    check_same_model(stored, model_tensors(plan.model, plan.lora), Restore::resume,
                     start.checkpoint);
  });
  check_resumable(stored, plan);
  warn_of_changed_options(options, &start);
  for (std::string& change : changes_of_samples(stored, plan, options))
    start.warnings.push_back(std::move(change));
  start.older_step = step_before(options.run_dir / "checkpoints", step);
  const auto init = stored.state.find(std::string(kInitState));
  if (init != stored.state.end()) start.init = init->second;
  return start;
}

StartPoint locate_start(const TrainOptions& options, const Plan& plan) {
  std::vector<std::string> skipped;
  const int64_t step = resume_step(options, &skipped);
  if (step > 0) return start_at(step, options, plan, skipped);
  StartPoint start;
  start.restore = Restore::base;
  find_adapter(options, plan, &start);
  if (options.init.empty()) return start;
  start.init = options.init.string();
  if (is_hf_folder(options.init)) {
    find_model_of_hf(options, plan, &start);
    return start;
  }
  start.checkpoint = naming("--init", [&] { return resolve_checkpoint(options.init, &skipped); });
  warn_of_passed_over(skipped, &start);
  const Manifest stored = read_manifest(start.checkpoint);
  naming("--init", [&] {
    check_same_model(stored, model_tensors(plan.model, plan.lora), start.restore, start.checkpoint);
  });
  if (holds_adapters(stored)) {
    start.warnings.emplace_back(
        "--init: adapters in the checkpoint are left out, its base weights taken");
  }
  return start;
}

// Collective. What rank 0 has found, on all ranks.
void share(Communicator& world, StartPoint* start) {
  start->step = std::stoll(broadcast_string(world, std::to_string(start->step)));
  start->checkpoint = broadcast_string(world, start->checkpoint.string());
  start->adapter = broadcast_string(world, start->adapter.string());
  start->restore = start->step > 0 ? Restore::resume : Restore::base;
}

}  // namespace

StartPoint find_start(Communicator& world, const TrainOptions& options, const Plan& plan) {
  StartPoint start;
  on_root(world, [&] { start = locate_start(options, plan); });
  share(world, &start);
  return start;
}

std::optional<StartPoint> older_start(Communicator& world, const TrainOptions& options,
                                      const Plan& plan, const StartPoint& failed) {
  if (options.resume != "auto" || failed.step == 0) return std::nullopt;
  StartPoint start;
  on_root(world, [&] {
    std::vector<std::string> skipped;
    const auto step =
        newest_valid_checkpoint(options.run_dir / "checkpoints", &skipped, failed.step);
    if (step) start = start_at(*step, options, plan, skipped);
  });
  share(world, &start);
  return start.step > 0 ? std::optional(start) : std::nullopt;
}

std::vector<fs::path> set_passed_over_aside(const TrainOptions& options, const StartPoint& start) {
  std::vector<fs::path> paths;
  if (options.resume != "auto" || start.step == 0) return paths;
  const fs::path folder = options.run_dir / "checkpoints";
  for (const int64_t step : list_checkpoints(folder)) {
    if (step > start.step) paths.push_back(set_checkpoint_aside(folder, step));
  }
  return paths;
}

fs::path resolve_checkpoint(const fs::path& path, std::vector<std::string>* skipped) {
  if (fs::exists(path / "manifest.json")) return path;
  if (is_hf_folder(path)) {
    throw ConfigError(concat(path.string(),
                             ": a folder of Hugging Face; training starts from it (--init), here "
                             "a checkpoint of Argosy is needed (step_N, checkpoints or a run "
                             "folder)"));
  }
  for (const fs::path& folder : {path, path / "checkpoints"}) {
    if (!fs::is_directory(folder)) continue;
    if (const auto step = newest_valid_checkpoint(folder, skipped))
      return checkpoint_path(folder, *step);
  }
  throw ConfigError(
      concat(path.string(), ": no checkpoint here; valid: a step_N, checkpoints or run folder"));
}

std::string describe(const StartPoint& start) {
  std::string text = start.step > 0 ? "resumed  " : "weights  ";
  text += start.checkpoint.string();
  if (start.adapter.empty()) return text;
  return concat(text, start.checkpoint.empty() ? "" : ", ", "adapter ", start.adapter.string());
}

InitialValues values_to_make(const StartPoint& start) {
  if (start.checkpoint.empty()) return InitialValues::all;
  const bool brings_adapters = start.restore == Restore::resume || !start.adapter.empty();
  return brings_adapters ? InitialValues::none : InitialValues::adapters;
}

void restore_start(const LayerContext& ctx, const StartPoint& start, ParameterStore& store,
                   ShardedOptimizer& optimizer) {
  if (!start.checkpoint.empty())
    restore_checkpoint(ctx, start.checkpoint, start.restore, store, &optimizer);
  if (!start.adapter.empty()) restore_adapter(ctx, start.adapter, store, &optimizer);
}

}  // namespace argosy
