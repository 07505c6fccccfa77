// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_setup.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/exchange.h"
#include "checkpoint/hf/model_folder.h"
#include "planner/report/units.h"
#include "planner/spec/cpu_scratch.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/ledger.h"
#include "planner/spec/work.h"

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

// Whatever is wrong with the value of an option says which option it was.
template <typename Action>
auto naming(const char* option, const Action& action) {
  try {
    return action();
  } catch (const ConfigError& error) {
    throw ConfigError(concat(option, ": ", error.what()));
  }
}

DataStream open_stream(const char* option, const fs::path& path, const Plan& plan, uint64_t seed) {
  return naming(option, [&] {
    DataStream stream;
    stream.source = open_tokens(path, plan.model.vocab_size);
    stream.order = std::make_unique<SampleOrder>(stream.source->num_tokens(), plan.seq_len, seed,
                                                 path.string());
    return stream;
  });
}

Plan open_plan(const TrainOptions& options) {
  const Plan plan = naming("--plan", [&] { return read_plan(options.plan); });
  return apply_options(plan, options);
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

StartPoint start_of_hf_folder(const fs::path& folder, const Plan& plan) {
  return naming("--init", [&] {
    [[maybe_unused]] const HfModel weights(folder, plan.model);  // looks at names and shapes
    return StartPoint{.checkpoint = folder,
                      .restore = Restore::base,
                      .warnings = changes_of_config(folder, plan)};
  });
}

StartPoint locate_start(const TrainOptions& options, const Plan& plan) {
  StartPoint start;
  std::vector<std::string> skipped;
  start.step = resume_step(options, &skipped);
  if (start.step > 0) {
    start.checkpoint = checkpoint_path(options.run_dir / "checkpoints", start.step);
  } else if (is_hf_folder(options.init)) {
    return start_of_hf_folder(options.init, plan);
  } else if (!options.init.empty()) {
    start.restore = Restore::base;
    start.checkpoint = naming("--init", [&] { return resolve_checkpoint(options.init, &skipped); });
  }
  for (const std::string& name : skipped)
    start.warnings.push_back("damaged checkpoint passed over: " + name);
  if (start.checkpoint.empty()) return start;
  const Manifest stored = read_manifest(start.checkpoint);
  naming(start.step > 0 ? "--resume" : "--init", [&] {
    check_same_model(stored, model_tensors(plan.model, plan.lora), start.restore, start.checkpoint);
  });
  if (start.step > 0) {
    check_resumable(stored, plan);
    for (std::string& change : changes_of_samples(stored, plan, options))
      start.warnings.push_back(std::move(change));
    start.older_step = step_before(options.run_dir / "checkpoints", start.step);
  } else if (holds_adapters(stored)) {
    start.warnings.emplace_back(
        "--init: adapters in the checkpoint are left out, its base weights taken");
  }
  return start;
}

// Dropout and document masks of a run; somebody must say which token ends a document.
LayerSettings layer_settings(const TrainOptions& options, const Plan& plan,
                             const TokenSource& source) {
  LayerSettings settings{.dropout = options.dropout, .document_mask = options.document_mask};
  if (!options.document_mask) return settings;
  const Json config = parse_json(plan.model.config_json, "the model of the plan");
  int64_t end_of_text = options.end_of_text;
  if (end_of_text < 0) end_of_text = source.end_of_text();
  if (end_of_text < 0 && config.contains("eos_token_id") &&
      config["eos_token_id"].is_number_integer()) {
    end_of_text = config["eos_token_id"].get<int64_t>();
  }
  if (end_of_text < 0 || end_of_text >= plan.model.vocab_size) {
    throw ConfigError(concat("--document-mask: which token ends a document is ",
                             end_of_text < 0 ? "not known" : std::to_string(end_of_text),
                             "; valid: --end-of-text ID below vocab_size=", plan.model.vocab_size));
  }
  settings.end_of_text = static_cast<int32_t>(end_of_text);
  return settings;
}

}  // namespace

TrainerSettings trainer_settings(const TrainOptions& options) {
  return {.optimizer = options.optimizer,
          .clip = options.clip,
          .check_replicas_every = options.check_replicas_every,
          .check_collectives_every = options.check_collectives_every,
          .overlap = options.overlap ? Overlap::on : Overlap::off,
          .aux_loss_scope = options.router_aux_loss,
          .router_bias_rate = options.router_bias_update_rate,
          .cuda_graphs = options.cuda_graphs};
}

RunInputs open_inputs(Communicator& world, const TrainOptions& options) {
  RunInputs inputs;
  throw_if_failed(agree(world, attempt([&] {
                          inputs.plan = open_plan(options);
                          check_world_size(inputs.plan, world.size());
                          inputs.data =
                              open_stream("--data", options.data, inputs.plan, inputs.plan.seed);
                          inputs.layers = layer_settings(options, inputs.plan, *inputs.data.source);
                          if (!options.eval_data.empty()) {
                            inputs.evaluation =
                                open_stream("--eval-data", options.eval_data, inputs.plan, 0);
                          }
                        })));
  return inputs;
}

void on_root(Communicator& world, const std::function<void()>& action) {
  Outcome outcome;
  if (world.rank() == 0) outcome = attempt(action);
  const std::string text = broadcast_string(
      world, concat(static_cast<char>('0' + static_cast<int>(outcome.kind)), outcome.message));
  throw_if_failed({static_cast<Outcome::Kind>(text[0] - '0'), text.substr(1)});
}

StartPoint find_start(Communicator& world, const TrainOptions& options, const Plan& plan) {
  StartPoint start;
  on_root(world, [&] { start = locate_start(options, plan); });
  start.step = std::stoll(broadcast_string(world, std::to_string(start.step)));
  start.checkpoint = broadcast_string(world, start.checkpoint.string());
  start.restore = start.step > 0 ? Restore::resume : Restore::base;
  return start;
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

std::string trainable_line(const Plan& plan) {
  const ParameterCount count = count_parameters(plan.model, plan.lora);
  char percent[32];
  std::snprintf(percent, sizeof percent, "%.4f",
                100.0 * static_cast<double>(count.trainable) / static_cast<double>(count.total));
  return concat("trainable params: ", format_grouped(count.trainable),
                " || all params: ", format_grouped(count.total), " || trainable%: ", percent);
}

namespace {

// What the ledger says of rank 0, the largest scratch of one of its layers, and what kernels hold
// in one of them.
std::string memory_line(const Plan& plan, int cpu_threads) {
  const Ledger ledger = predict_ledger(plan, 0);
  int64_t workspace_bytes = 0, packed_bytes = 0;
  for (const int64_t stage : stages_of_pipeline_rank(plan, 0)) {
    for (const LayerWork& work : stage_work(plan, stage)) {
      const int64_t packed =
          cpu_threads > 0 ? cpu_scratch(plan, work, cpu_threads).most_bytes() : 0;
      if (work.workspace_bytes + packed <= workspace_bytes) continue;
      workspace_bytes = work.workspace_bytes + packed;
      packed_bytes = packed;
    }
  }
  std::string packed;
  if (packed_bytes > 0) {
    packed = concat(" (", format_bytes(packed_bytes), " of them packed operands of ", cpu_threads,
                    cpu_threads == 1 ? " thread)" : " threads)");
  }
  const int64_t total_bytes = ledger.parameter_bytes + ledger.gradient_bytes +
                              ledger.optimizer_bytes + ledger.activation_peak_bytes +
                              workspace_bytes;
  return concat(
      "memory   parameters ", format_bytes(ledger.parameter_bytes), ", gradients ",
      format_bytes(ledger.gradient_bytes), ", optimizer ", format_bytes(ledger.optimizer_bytes),
      ", activations ", format_bytes(ledger.activation_peak_bytes), ", workspace up to ",
      format_bytes(workspace_bytes), packed, ": ", format_bytes(total_bytes), " on rank 0");
}

}  // namespace

std::vector<std::string> describe_run(const Plan& plan, int cpu_threads) {
  const ParameterCount count = count_parameters(plan.model, plan.lora);
  std::string model = concat("model    ", plan.model.name, " (", plan.model.model_type, "), ",
                             format_count(static_cast<double>(count.total)), " parameters");
  if (plan.model.has_moe()) {
    model += concat(", ", format_count(static_cast<double>(count.active)), " active for a token");
  }
  const std::string_view recompute = recompute_word(plan);
  return {model,
          concat("layout   ", to_string(plan.mesh), ", ZeRO ", plan.zero_stage, ", ",
                 to_string(plan.schedule), plan.sequence_parallel ? ", sequence parallel" : "",
                 plan.mesh.cp > 1 ? concat(", ", to_string(plan.cp_kind), " attention") : "",
                 recompute != "none" ? concat(", recompute ", recompute) : ""),
          concat("batch    ", plan.global_batch, " sequences of ", plan.seq_len, " tokens, ",
                 plan.num_microbatches(), " micro-batches of ", plan.micro_batch, " on each of ",
                 plan.mesh.dp, " data-parallel ranks"),
          concat("numbers  ", to_string(plan.precision), ", ", to_string(plan.optimizer), ", seed ",
                 plan.seed),
          memory_line(plan, cpu_threads)};
}

}  // namespace argosy
