// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "trainer/device/host_copy.h"
#include "trainer/microbatches.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/update.h"
#include "trainer/parallel/pipeline.h"
#include "trainer/replicas.h"
#include "trainer/step_timer.h"

namespace argosy {

namespace {

// The sign of a NaN means nothing, and "-nan" reads like a number below zero.
double without_sign_of_nan(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

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
  comm_times_.set_device(device_.backend().streams());
  groups_.set_times(&comm_times_);
  groups_.set_heartbeat(settings_.heartbeat);
  if (settings_.check_collectives_every > 0) groups_.set_calls(&calls_);
  if (plan_.precision == Precision::fp8) ops::require_fp8(device_);
  parameters_.initialize(plan_.seed, settings_.initial_values);
  if (settings_.initial_values == InitialValues::all) optimizer_.reset_master(context_);
  sums_of_host_ = context_.scratch({layout_of_totals().size()}, DType::fp64);
  uses_graphs_ =
      argosy::uses_graphs(settings_.cuda_graphs, plan_, settings_.layers, device_.device());
}

// Every few steps: stamps of each op would cost a device more than they tell. What is captured has
// none.
bool Trainer::times_ops(int64_t step) const {
  constexpr int64_t kOpTimesEvery = 8;
  if (captured_) return false;
  return !device_.clock().is_device() || step % kOpTimesEvery == 1 || op_parts_ == OpParts() ||
         (uses_graphs_ && num_steps_ == kStepsBeforeGraphs);
}

StepResult Trainer::step(const TokenSource& source, const SampleOrder& order, int64_t step,
                         double lr) {
  if (uses_graphs_ && num_steps_ == kStepsBeforeGraphs) capture(step - 1);
  ++num_steps_;
  WorkClock& clock = device_.clock();
  clock.times_ops = times_ops(step);
  StepTimer timer(comm_times_, clock, static_cast<int>(groups_.rank()), plan_.mesh.pp > 1);
  StepResult result;
  reduced_ = {};
  ledger_ = {};
  device_.matmul_flops = 0;
  device_.op_seconds = {};
  device_.reset_peaks();

  context_.act("data");
  microbatches_ =
      read_microbatches(context_, source, order, step, Epochs::all, std::move(microbatches_));
  weigh_modules();
  upload_sums();
  optimizer_.begin_step(step, lr);
  timer.end_phase(&StepParts::data_s, "data");

  const BlocksFrom blocks(device_, step_blocks());
  const StepWork work = captured_ ? launch_passes(&timer) : run_passes(&timer);
  context_.act("optimizer");
  if (held_until_) device_.backend().streams()->compute().wait_for(*held_until_);
  held_until_.reset();
  if (captured_) {
    captured_->update->launch();
  } else {
    run_update(work.sums);
  }
  parameters_.mark_values_changed();
  const StepTotals totals = read_totals(work.sums);  // the step's one wait for the device
  fill_objective(totals, targets_of_mean(totals.num_targets), &result);
  if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm)) {
    throw NotFinite(
        concat("step ", step, ": loss ", without_sign_of_nan(result.loss), ", gradient norm ",
               without_sign_of_nan(result.grad_norm),
               ": not finite; nothing was updated. A lower --lr or longer --warmup may help"));
  }
  update_router_state(device_, totals.choices,
                      plan_.task == Task::lora ? 0.0 : settings_.router_bias_rate, &router_);
  if (context_.fault == Fault::replica_drifts) drift(context_, parameters_);
  timer.end_phase(&StepParts::optimizer_s, "optimizer");
  device_.begin_activity("");
  device_.synchronize();  // a device that works by itself has not done what it was told
  timer.finish(work.events, &result.timeline, &result.parts);
  clock.read();
  if (clock.times_ops) {
    op_parts_.matmul_s = device_.op_seconds.matmul_s;
    op_parts_.attention_s = device_.op_seconds.attention_s;
  }
  op_parts_.collective_s = timer.collective_s();
  result.ops = op_parts_;
  fill_ledger(&result);
  if (!uses_graphs_) microbatches_.clear();
  run_guards(step);
  return result;
}

StepWork Trainer::run_passes(StepTimer* timer) {
  data_parallel_.begin_step();
  PipelineResult pipeline = run_pipeline(context_, stages_, schedule_, microbatches_,
                                         Keep::for_backward, settings_.compute_hook);
  timer->end_phase(&StepParts::compute_s);
  context_.act("reduce");
  reduced_ = data_parallel_.finish_step();
  StepWork work;
  work.sums = reduce_totals(pipeline);
  work.events = std::move(pipeline.events);
  timer->end_phase(&StepParts::compute_s, "reduce");
  return work;
}

void Trainer::run_update(const Tensor& sums) {
  optimizer_.update(context_, parameters_, reduced_, gradient_scale(sums), settings_.overlap);
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

void Trainer::fill_ledger(StepResult* result) const {
  result->memory = captured_ ? captured_->memory : device_.memory();
  const auto bytes = [&](MemoryCategory category) {
    return result->memory.current[static_cast<size_t>(category)];
  };
  result->ledger = ledger_;
  result->ledger.parameter_bytes = bytes(MemoryCategory::parameters);
  result->ledger.gradient_bytes =
      result->memory.peak[static_cast<size_t>(MemoryCategory::gradients)];
  result->ledger.optimizer_bytes = bytes(MemoryCategory::optimizer);
  if (const MemoryUse* host = optimizer_.host_memory()) {
    result->ledger.host_bytes = host->current[static_cast<size_t>(MemoryCategory::optimizer)];
  }
  result->ledger.activation_peak_bytes =
      result->memory.peak[static_cast<size_t>(MemoryCategory::activations)];
  for (const Stage& stage : stages_) {
    result->ledger.saved_bytes.insert(stage.saved_bytes().begin(), stage.saved_bytes().end());
  }
  result->ledger.matmul_flops = device_.matmul_flops;
}

double Trainer::evaluate(const TokenSource& source, const SampleOrder& order, int64_t num_steps) {
  const UnrecordedScope control(groups_);
  const BlocksFrom blocks(device_, step_blocks());
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
    if (counts) sums[1] += copy_to_host<double>(result.loss_sums).front();
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
