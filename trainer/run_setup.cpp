// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_setup.h"

#include <cstdio>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "planner/spec/cpu_scratch.h"
#include "planner/spec/gpu_scratch.h"
#include "planner/spec/host_loads.h"
#include "planner/spec/ledger.h"
#include "planner/spec/work.h"
#include "trainer/run_tokenizer.h"

namespace argosy {

namespace {

void check_world_size(const Plan& plan, int num_ranks) {
  if (plan.mesh.world_size() == num_ranks) return;
  throw ConfigError(
      concat("the plan needs tp*pp*dp*cp = ", plan.mesh.tp, "*", plan.mesh.pp, "*", plan.mesh.dp,
             "*", plan.mesh.cp, " = ", plan.mesh.world_size(), " ranks, but ", num_ranks,
             " were started; use argosy-launch, or mpirun -np ", plan.mesh.world_size()));
}

// Dropout and document masks of a run. Somebody must say which token ends a document, unless the
// data know: rows are documents, and in a conversation that token ends every turn.
LayerSettings layer_settings(StreamOpener& opener, const RunInputs& inputs) {
  const TrainOptions& options = opener.options;
  const TokenSource& source = *inputs.data.source;
  const TokenSource* evaluation = inputs.evaluation.source.get();
  LayerSettings settings{.dropout = options.dropout, .document_mask = options.document_mask};
  if (!options.document_mask) return settings;
  const bool knows_documents =
      source.knows_documents() && (evaluation == nullptr || evaluation->knows_documents());
  const bool keeps_rows = inputs.data.packed != nullptr;  // --end-of-text has cut them, if asked
  if (knows_documents && (keeps_rows || options.end_of_text < 0)) return settings;
  const std::vector<int32_t> ends = opener.document_ends(source);
  const bool is_known = ends.size() == 1;
  if (!is_known || ends[0] < 0 || ends[0] >= opener.plan.model.vocab_size) {
    throw ConfigError(
        concat("--document-mask: which token ends a document is ",
               is_known ? std::to_string(ends[0]) : "not known",
               "; valid: --end-of-text ID below vocab_size=", opener.plan.model.vocab_size));
  }
  settings.end_of_text = ends[0];
  return settings;
}

}  // namespace

TrainerSettings trainer_settings(const TrainOptions& options) {
  return {
      .optimizer = options.optimizer,
      .clip = options.clip,
      .check_replicas_every = options.check_replicas_every,
      .check_collectives_every = options.check_collectives_every,
      .overlap = options.overlap ? Overlap::on : Overlap::off,
      .aux_loss_scope = options.router_aux_loss,
      .router_bias_rate = options.router_bias_update_rate,
      .cuda_graphs = options.cuda_graphs,
      .mtp_loss_scaling_factor = options.mtp_loss_scaling_factor.value_or(kMtpLossScalingFactor)};
}

Plan open_plan(const TrainOptions& options) {
  const Plan plan = naming("--plan", [&] { return read_plan(options.plan); });
  return apply_options(plan, options);
}

RunInputs open_inputs(Communicator& world, const TrainOptions& options) {
  RunInputs inputs;
  throw_if_failed(
      agree(world, attempt([&] {
              inputs.plan = open_plan(options);
              check_world_size(inputs.plan, world.size());
              inputs.tokenizer_folder = find_tokenizer(options);
              if (may_hold_text(options.data) || may_hold_text(options.eval_data)) {
                inputs.tokenizer = read_found_tokenizer(options, inputs.tokenizer_folder);
              }
              StreamOpener opener{options, inputs.plan, inputs.tokenizer_folder, inputs.tokenizer};
              inputs.data = opener.open("--data", options.data, inputs.plan.seed);
              if (!options.eval_data.empty()) {
                inputs.evaluation = opener.open("--eval-data", options.eval_data, 0);
              } else if (options.eval_fraction > 0) {
                inputs.evaluation = opener.hold_out(options.eval_fraction, &inputs.data);
              }
              inputs.layers = layer_settings(opener, inputs);
            })));
  return inputs;
}

void require_one_rank(const Communicator& world, const char* option) {
  if (world.size() == 1) return;
  throw AgreedConfigError(concat(option, " runs on one rank, but ", world.size(), " were started"));
}

void on_root(Communicator& world, const std::function<void()>& action) {
  Outcome outcome;
  if (world.rank() == 0) outcome = attempt(action);
  const std::string text = broadcast_string(
      world, concat(static_cast<char>('0' + static_cast<int>(outcome.kind)), outcome.message));
  throw_if_failed(
      {static_cast<Outcome::Kind>(text[0] - '0'), text.substr(1), /*on_all_ranks=*/true});
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
std::string memory_line(const Plan& plan, const KernelDevice& device) {
  const Ledger ledger = predict_ledger(plan, 0);
  const int threads = device.cpu_threads;
  int64_t workspace_bytes = 0, of_kernels_bytes = 0;
  for (const int64_t stage : stages_of_pipeline_rank(plan, 0)) {
    for (const LayerWork& work : stage_work(plan, stage)) {
      int64_t bytes = threads > 0 ? cpu_scratch(plan, work, threads).most_bytes() : 0;
      if (device.ordered_gpu_bytes > 0)
        bytes += ordered_attention_bytes(plan, work, device.ordered_gpu_bytes);
      if (work.workspace_bytes + bytes <= workspace_bytes) continue;
      workspace_bytes = work.workspace_bytes + bytes;
      of_kernels_bytes = bytes;
    }
  }
  std::string of_kernels;
  if (of_kernels_bytes > 0) {
    of_kernels = concat(" (", format_bytes(of_kernels_bytes), " of them ",
                        threads > 0 ? concat("packed operands of ", threads,
                                             threads == 1 ? " thread)" : " threads)")
                                    : "for attention's gradients in a fixed order)");
  }
  const int64_t total_bytes = ledger.parameter_bytes + ledger.gradient_bytes +
                              ledger.optimizer_bytes + ledger.activation_peak_bytes +
                              workspace_bytes;
  return concat(
      "memory   parameters ", format_bytes(ledger.parameter_bytes), ", gradients ",
      format_bytes(ledger.gradient_bytes), ", optimizer ", format_bytes(ledger.optimizer_bytes),
      ", activations ", format_bytes(ledger.activation_peak_bytes), ", workspace up to ",
      format_bytes(workspace_bytes), of_kernels, ": ", format_bytes(total_bytes), " on rank 0",
      plan.offload == Offload::optimizer
          ? concat("; the optimizer in the host's memory: ", format_bytes(ledger.host_bytes),
                   threads > 0 ? ""
                               : concat(", and ", format_bytes(host_staging_bytes(plan.precision)),
                                        " to pass through"))
          : "");
}

}  // namespace

std::vector<std::string> describe_run(const Plan& plan, const KernelDevice& device) {
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
          memory_line(plan, device)};
}

}  // namespace argosy
