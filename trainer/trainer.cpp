// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "trainer/microbatches.h"
#include "trainer/ops/elementwise.h"
#include "trainer/parallel/pipeline.h"
#include "trainer/replicas.h"
#include "trainer/step_timer.h"

namespace argosy {

namespace {

constexpr double kClipEpsilon = 1e-6;  // PyTorch's clip_grad_norm_: max_norm / (norm + 1e-6)

std::vector<Stage> make_stages(const LayerContext& ctx, const ParameterStore& store) {
  std::vector<Stage> stages;
  for (const int64_t stage : stages_of_pipeline_rank(ctx.plan, ctx.groups.coordinates().pp)) {
    stages.emplace_back(ctx, store, stage);
  }
  return stages;
}

// Fault::replica_drifts: on the last rank of all, the first tensor that other tensor-parallel ranks
// hold too, or any.
void drift(const LayerContext& ctx, const ParameterStore& store) {
  if (ctx.groups.rank() + 1 != ctx.plan.mesh.world_size()) return;
  const std::vector<LocalTensor>& tensors = store.layout().tensors;
  auto it = std::find_if(tensors.begin(), tensors.end(), [](const LocalTensor& local) {
    return is_trainable(local.domain) && local.gradient_sum == GradientSum::tp;
  });
  if (it == tensors.end()) it = tensors.begin();
  ops::scale(ctx.device, 1.0 + 1e-5, flat_part(store.kept(*it).at(0).values, {0, 1}));
}

}  // namespace

// Sums over the world; control traffic.
struct Trainer::Totals {
  double num_targets = 0, loss_sum = 0, aux_sum = 0, z_sum = 0, sum_of_squares = 0;
  std::vector<double> choices;  // [MoE layer of the model][E]
  std::vector<double> dropped;  // [MoE layer of the model]
};

Trainer::Trainer(DeviceContext& device, Communicator& world, const Plan& plan,
                 const TrainerSettings& settings)
    : plan_(plan),
      settings_(settings),
      device_(device),
      groups_(world, plan_.mesh, plan_.model.num_kv_heads, &ledger_),
      router_(make_router_state(device_, plan_, settings_.aux_loss_scope)),
      context_{device_,
               groups_,
               plan_,
               settings_.layers,
               &router_,
               settings_.fault,
               settings_.heartbeat},
      parameters_(device_, plan_, groups_.rank()),
      data_parallel_(context_, parameters_, settings_.overlap),
      stages_(make_stages(context_, parameters_)),
      optimizer_(context_, parameters_, settings_.optimizer),
      schedule_(build_schedule(plan_)),
      evaluation_schedule_(build_evaluation_schedule(plan_)) {
  context_.hooks = &data_parallel_;
  groups_.set_times(&comm_times_);
  groups_.set_heartbeat(settings_.heartbeat);
  if (settings_.check_collectives_every > 0) groups_.set_calls(&calls_);
  if (plan_.precision == Precision::fp8) ops::require_fp8(device_);
  parameters_.initialize(plan_.seed);
  optimizer_.reset_master(context_);
}

StepResult Trainer::step(const TokenSource& source, const SampleOrder& order, int64_t step,
                         double lr) {
  StepTimer timer(comm_times_, static_cast<int>(groups_.rank()), plan_.mesh.pp > 1);
  StepResult result;
  reduced_ = {};
  ledger_ = {};
  device_.matmul_flops = 0;
  device_.op_seconds = {};
  device_.reset_peaks();

  context_.act("data");
  const std::vector<Microbatch> microbatches = read_microbatches(context_, source, order, step);
  data_parallel_.begin_step();
  timer.end_phase(&StepParts::data_s, "data");

  const double pipeline_begin_s = timer.now_s();
  PipelineResult pipeline = run_pipeline(context_, stages_, schedule_, microbatches,
                                         Keep::for_backward, settings_.compute_hook);
  for (TimelineEvent& event : pipeline.events) {
    event.start_s += pipeline_begin_s;
    event.end_s += pipeline_begin_s;
    result.timeline.events.push_back(std::move(event));
  }

  timer.end_phase(&StepParts::compute_s);
  context_.act("reduce");
  reduced_ = data_parallel_.finish_step();
  const Totals totals =
      reduce_totals(microbatches, pipeline, owned_sum_of_squares(context_, parameters_, reduced_));
  timer.end_phase(&StepParts::compute_s, "reduce");

  // Gradients, too, are sums over the targets.
  const double num_targets = std::max(context_.fault == Fault::loss_per_rank
                                          ? static_cast<double>(count_targets(microbatches))
                                          : totals.num_targets,
                                      1.0);
  fill_objective(totals, num_targets, &result);
  if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm)) {
    throw Error(
        concat("step ", step, ": loss ", result.loss, ", gradient norm ", result.grad_norm,
               ": not finite; nothing was updated. A lower --lr or longer --warmup may help"));
  }

  context_.act("optimizer");
  const double clip =
      settings_.clip > 0 ? std::min(1.0, settings_.clip / (result.grad_norm + kClipEpsilon)) : 1.0;
  optimizer_.update(context_, parameters_, reduced_, step, lr, clip / num_targets,
                    settings_.overlap);
  parameters_.mark_values_changed();
  update_router_state(device_, totals.choices,
                      plan_.task == Task::lora ? 0.0 : settings_.router_bias_rate, &router_);
  if (context_.fault == Fault::replica_drifts) drift(context_, parameters_);
  device_.synchronize();  // a device that works by itself has not done what it was told
  timer.end_phase(&StepParts::optimizer_s, "optimizer");
  timer.finish(&result.timeline, &result.parts);
  result.ops = {.matmul_s = device_.op_seconds.matmul_s,
                .attention_s = device_.op_seconds.attention_s,
                .collective_s = timer.collective_s()};
  fill_ledger(&result);
  run_guards(step);
  return result;
}

void Trainer::fill_objective(const Totals& totals, double num_targets, StepResult* result) const {
  result->num_targets = static_cast<int64_t>(totals.num_targets);
  result->loss = totals.loss_sum / num_targets;
  result->aux_loss = plan_.model.moe.aux_loss_coef * totals.aux_sum / num_targets;
  result->z_loss = plan_.model.moe.z_loss_coef * totals.z_sum / num_targets;
  result->grad_norm = std::sqrt(totals.sum_of_squares) / num_targets;
  result->router = router_metrics(totals.choices, totals.dropped, plan_.model.moe.num_experts);
}

void Trainer::run_guards(int64_t step) {
  const auto is_due = [&](int64_t every) { return every > 0 && step % every == 0; };
  if (is_due(settings_.check_collectives_every)) {
    context_.act("check of collectives");
    const std::string mismatch = mismatched_calls(groups_, calls_);
    if (!mismatch.empty()) throw Error(concat("step ", step, ": ranks disagree: ", mismatch));
  }
  if (is_due(settings_.check_replicas_every)) {
    context_.act("check of replicas");
    const std::vector<std::string> lines = differing_replicas(context_, parameters_);
    if (lines.empty()) return;
    throw Error(concat("step ", step, ": copies of ", lines.size(),
                       " tensors differ; the first: ", lines.front()));
  }
}

Trainer::Totals Trainer::reduce_totals(const std::vector<Microbatch>& microbatches,
                                       const PipelineResult& result, double sum_of_squares) {
  const Coordinates& at = groups_.coordinates();
  const int64_t num_experts = plan_.model.moe.num_experts;
  const int64_t moe_layers = moe_row(plan_.model, plan_.model.num_layers);
  constexpr size_t kScalars = 5;
  const size_t num_choices = static_cast<size_t>(moe_layers * num_experts);
  std::vector<double> sums(kScalars + num_choices + static_cast<size_t>(moe_layers), 0.0);
  // Ranks of one tp group see the same tokens: one of them counts. Router sums are of each rank's
  // own tokens.
  const bool counts = at.tp == 0;
  sums[0] = counts && at.pp == 0 ? static_cast<double>(count_targets(microbatches)) : 0.0;
  sums[1] = counts ? result.loss_sum : 0.0;
  sums[4] = sum_of_squares;
  const std::vector<int64_t> stages = stages_of_pipeline_rank(plan_, at.pp);
  for (size_t i = 0; i < stages.size(); ++i) {
    const RouterTotals& router = result.routers[i];
    sums[2] += router.aux_loss;
    sums[3] += router.z_loss;
    auto layer = static_cast<size_t>(moe_row(plan_.model, layers_of_stage(plan_, stages[i]).begin));
    for (size_t j = 0; j < router.choices.size(); ++j, ++layer) {
      const std::vector<double>& choices = router.choices[j];
      std::copy(choices.begin(), choices.end(),
                sums.begin() + static_cast<std::ptrdiff_t>(kScalars + layer * choices.size()));
      sums[kScalars + num_choices + layer] = router.dropped[j];
    }
  }
  groups_.control().all_reduce({sums.data(), static_cast<int64_t>(sums.size()), DType::fp64});
  Totals totals{sums[0], sums[1], sums[2], sums[3], sums[4], {}, {}};
  const auto choices_end = sums.begin() + static_cast<std::ptrdiff_t>(kScalars + num_choices);
  totals.choices.assign(sums.begin() + kScalars, choices_end);
  totals.dropped.assign(choices_end, sums.end());
  return totals;
}

void Trainer::fill_ledger(StepResult* result) const {
  result->memory = device_.memory();
  const auto bytes = [&](MemoryCategory category) {
    return result->memory.current[static_cast<size_t>(category)];
  };
  result->ledger = ledger_;
  result->ledger.parameter_bytes = bytes(MemoryCategory::parameters);
  result->ledger.gradient_bytes =
      result->memory.peak[static_cast<size_t>(MemoryCategory::gradients)];
  result->ledger.optimizer_bytes = bytes(MemoryCategory::optimizer);
  result->ledger.activation_peak_bytes =
      result->memory.peak[static_cast<size_t>(MemoryCategory::activations)];
  for (const Stage& stage : stages_) {
    result->ledger.saved_bytes.insert(stage.saved_bytes().begin(), stage.saved_bytes().end());
  }
  result->ledger.matmul_flops = device_.matmul_flops;
}

double Trainer::evaluate(const TokenSource& source, const SampleOrder& order, int64_t num_steps) {
  const UnrecordedScope control(groups_);
  LayerContext context = context_;
  context.settings.dropout = 0;
  const bool counts = groups_.coordinates().tp == 0;
  std::array<double, 2> sums{};  // targets, loss
  for (int64_t step = 1; step <= num_steps; ++step) {
    const std::vector<Microbatch> microbatches =
        read_microbatches(context, source, order, step, Epochs::first);
    const PipelineResult result =
        run_pipeline(context, stages_, evaluation_schedule_, microbatches, Keep::discard);
    if (counts && groups_.coordinates().pp == 0)
      sums[0] += static_cast<double>(count_targets(microbatches));
    if (counts) sums[1] += result.loss_sum;
  }
  groups_.control().all_reduce({sums.data(), 2, DType::fp64});
  if (sums[0] == 0) {
    throw ConfigError(concat("--eval-data: no token of its first ", num_steps,
                             " batches is to be predicted: all of them are masked, as prompts "
                             "are; valid: data with text or completions in them"));
  }
  return sums[1] / sums[0];
}

}  // namespace argosy
