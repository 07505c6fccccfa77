// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One rank of a training run: its weights, its optimizer state, and what a step does with them.
// Knows nothing of files, options or terminals.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/groups.h"
#include "planner/spec/check.h"
#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"
#include "trainer/captured_step.h"
#include "trainer/data/dataset.h"
#include "trainer/device/device_context.h"
#include "trainer/layers/parameters.h"
#include "trainer/layers/stage.h"
#include "trainer/parallel/data_parallel.h"
#include "trainer/parallel/gradients.h"
#include "trainer/parallel/pipeline.h"
#include "trainer/parallel/sharded_optimizer.h"
#include "trainer/run/router_metrics.h"
#include "trainer/run/step_parts.h"
#include "trainer/step_totals.h"

namespace argosy {

// Megatron-LM's default (TransformerConfig.mtp_loss_scaling_factor).
inline constexpr double kMtpLossScalingFactor = 0.1;

struct TrainerSettings {
  OptimizerSettings optimizer;
  double clip = 1.0;                    // global gradient norm is scaled down to this; 0: not
  int64_t check_replicas_every = 0;     // steps between looks at the copies of parameters; 0: none
  int64_t check_collectives_every = 0;  // steps between comparisons of what ranks called; 0: none
  Heartbeat* heartbeat = nullptr;  // where this rank says what it is doing; it must outlive this
  Fault fault = Fault::none;       // for tests of what notices mistakes
  Overlap overlap = Overlap::on;   // of reductions and gathers with computation; off: benchmarks
  ComputeHook compute_hook = {};   // for tests and benchmarks of the pipeline
  LayerSettings layers = {};       // dropout, document masks
  AuxLossScope aux_loss_scope = AuxLossScope::sequence;
  double router_bias_rate = 1e-3;  // step of the balancing bias; nothing moves in LoRA jobs
  InitialValues initial_values = InitialValues::all;  // the others are loaded before the first step
  CudaGraphs cuda_graphs = CudaGraphs::off;           // `on` where they cannot be is a ConfigError
  double mtp_loss_scaling_factor = kMtpLossScalingFactor;  // of the mean of the modules' losses
};

// What all ranks agree on after a step, and this rank's own counts.
struct StepResult {
  double loss = 0;      // cross entropy per unmasked token, before the update
  double aux_loss = 0;  // with its coefficient, as in the objective
  double z_loss = 0;
  std::vector<double> mtp_losses;  // of each module, cross entropy per token that it predicts
  double grad_norm = 0;            // of the objective, before clipping
  int64_t num_targets = 0;
  RouterMetrics router;  // of all ranks together; empty: no MoE
  Ledger ledger;         // measured, this rank
  MemoryUse memory;      // this rank's device; peaks are this step's
  Timeline timeline;     // this rank
  StepParts parts;       // of the timeline's step_s, this rank
  OpParts ops;           // this rank; on a device, products and attention of one step in eight,
                         // with graphs of the last step before them
};

// On all ranks alike: loss or gradient of a step. Weights and optimizer are those of the step
// before.
class NotFinite : public Error {
 public:
  using Error::Error;
};

class Trainer {
 public:
  // Collective. Everything is allocated, and initialised from plan.seed as settings.initial_values
  // says; load over it to resume.
  Trainer(DeviceContext& device, Communicator& world, const Plan& plan,
          const TrainerSettings& settings);

  // Collective. step: 1 for the first. Throws NotFinite, and Error when a guard finds copies that
  // differ or collectives that do not match: on all ranks.
  StepResult step(const TokenSource& source, const SampleOrder& order, int64_t step, double lr);

  // The next update waits on the device until `mark` is reached: what is copied out before it may
  // still be read.
  void hold_update(std::unique_ptr<DeviceMark> mark) { held_until_ = std::move(mark); }

  // Whether steps are to be captured, and what came of it; null: none is captured yet.
  bool uses_graphs() const { return uses_graphs_; }
  const GraphFacts* graph_facts() const { return captured_ ? &captured_->facts : nullptr; }

  // Collective. Mean cross entropy per unmasked token over `num_steps` batches of the plan's size,
  // or all samples where these are fewer: none counts twice. Throws ConfigError when all are
  // masked.
  double evaluate(const TokenSource& source, const SampleOrder& order, int64_t num_steps);

  const LayerContext& context() const { return context_; }
  const Plan& plan() const { return plan_; }
  ProcessGroups& groups() { return groups_; }
  ParameterStore& parameters() { return parameters_; }
  ShardedOptimizer& optimizer() { return optimizer_; }
  // Of this pipeline rank, ascending; several with virtual stages.
  std::vector<Stage>& stages() { return stages_; }
  // Of the latest step: what the optimizer read. For tests.
  const ReducedGradients& reduced_gradients() const { return reduced_; }

 private:
  StepTotalsLayout layout_of_totals() const;
  BlockList step_blocks() const { return uses_graphs_ ? BlockList::steps : BlockList::others; }
  bool times_ops(int64_t step) const;
  // What a step does on the device, between the uploads of its inputs and the download of its sums.
  StepWork run_passes(StepTimer* timer);
  void run_update(const Tensor& sums);
  // Collective. Both as graphs; the launch in the place of run_passes() (captured_step.cpp).
  void capture(int64_t after_step);
  const StepWork& launch_passes(StepTimer* timer);
  // Sums over the world (step_totals.cpp).
  void weigh_modules();
  void upload_sums();
  Tensor reduce_totals(const PipelineResult& result);
  Tensor gradient_scale(const Tensor& sums);
  StepTotals read_totals(const Tensor& sums) const;
  double targets_of_mean(double num_targets) const;
  void fill_objective(const StepTotals& totals, double num_targets, StepResult* result) const;
  void run_guards(int64_t step);
  void fill_ledger(StepResult* result) const;

  Plan plan_;
  TrainerSettings settings_;
  DeviceContext& device_;
  Ledger ledger_;
  CommTimes comm_times_;
  OpParts op_parts_;  // of the latest step whose ops were timed
  CallLog calls_;
  ProcessGroups groups_;
  RouterState router_;
  LayerContext context_;
  ParameterStore parameters_;
  DataParallel data_parallel_;
  std::vector<Stage> stages_;
  ShardedOptimizer optimizer_;
  Schedule schedule_, evaluation_schedule_;
  ReducedGradients reduced_;
  std::unique_ptr<DeviceMark> held_until_;  // null: no update is held
  bool uses_graphs_ = false;
  int64_t num_steps_ = 0;  // since the start of this process
  // Of the step that runs; with graphs their tensors stay.
  std::vector<Microbatch> microbatches_;
  // Tokens that are predicted in it, of all ranks: the next ones, then each module's; empty: none.
  std::vector<double> all_targets_;
  Tensor sums_of_host_;  // fp64 (StepTotalsLayout::size()): what the host adds to the sums
  std::unique_ptr<CapturedStep> captured_;  // null: steps run op by op
};

}  // namespace argosy
