// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How a training run starts: its folder, what it says of itself, weights new or loaded.
#include <unistd.h>

#include <algorithm>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "planner/spec/clock.h"
#include "planner/spec/cores.h"
#include "planner/spec/host.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/nvml.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/threads.h"
#include "trainer/placement.h"
#include "trainer/run_length.h"
#include "trainer/run_tokenizer.h"
#include "trainer/training_run.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

// Of its GPU; on the CPU a share of the machine's.
int64_t memory_of_rank_bytes(const DeviceContext& device, int local_ranks) {
  if (device.backend().cuda() != nullptr) return device.backend().total_bytes();
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE) /
         std::max(local_ranks, 1);
}

}  // namespace

TrainingRun::TrainingRun(const TrainOptions& options, DeviceContext& device, Communicator& world,
                         const TrainHost& host)
    : options_(options),
      world_(world),
      host_(host),
      inputs_(open_inputs(world, options)),
      progress_(*host.out, detect_terminal(STDOUT_FILENO)),
      device_(device) {
  resolve_run_length(inputs_.data.order->num_samples(), plan().global_batch, &options_);
  lap("inputs");
}

void TrainingRun::open_run_dir() {
  on_root(world_, [&] {
    run_dir_ = std::make_unique<RunDir>(options_.run_dir, options_.resume != "none");
  });
  begin_run_dir();
}

void TrainingRun::prepare() {
  for (const std::string& warning : start_.warnings) say(warning, Emphasis::warning);
  if (options_.lr.warmup_steps > options_.steps) {
    say(concat("--warmup: ", options_.lr.warmup_steps, " steps of ", options_.steps,
               ": the run ends before --lr is reached"),
        Emphasis::warning);
  }
  if (plan().task == Task::lora && start_.checkpoint.empty())
    say("LoRA on initial values: --init names no weights", Emphasis::warning);
  memory_limit_bytes_ = memory_of_rank_bytes(device_, host_.local_ranks);
  const KernelDevice device{
      .cpu_threads = is_gpu() ? 0 : ops::num_threads(),
      .ordered_gpu_bytes = is_gpu() && options_.policy.is_deterministic ? memory_limit_bytes_ : 0};
  for (const std::string& line : describe_run(plan(), device)) say(line);
  if (is_root()) tell_data();
  if (plan().task == Task::lora) say(trainable_line(plan()), Emphasis::strong);
  if (is_gpu()) tell_gpu();
  measure_peak();
  lap("peak");
  make_trainer();
  lap("weights");
  tell_places();
  restore();
  tell_graphs();
  tell_start();
}

void TrainingRun::tell_data() {
  const TokenSource& source = inputs_.data.file();
  say(describe_data(options_.data, inputs_.data, inputs_.tokenizer));
  const std::string samples = describe_samples(inputs_.data, plan().seq_len);
  if (!samples.empty()) say(samples);
  const int64_t num_samples = inputs_.data.order->num_samples();
  const std::string length = describe_run_length(num_samples, plan().global_batch, options_);
  if (!length.empty()) say(length);
  if (options_.eval_fraction > 0) {
    const int64_t held_out = inputs_.evaluation.order->num_samples();
    say(concat("held out ", format_grouped(held_out), " of ",
               format_counted(num_samples + held_out, "sample"), ", drawn by the seed"));
  }
  const std::string memory = memory_warning(inputs_.data, inputs_.evaluation, host_.local_ranks);
  if (!memory.empty()) say(memory, Emphasis::warning);
  const std::string warning = data_warning(source, inputs_.tokenizer, plan().model.vocab_size);
  if (options_.tokenizer.empty() && !warning.empty()) say(warning, Emphasis::warning);
}

// Collective. With the initial values that nothing is loaded over; one that was there is gone
// before.
void TrainingRun::make_trainer() {
  saves_.reset();
  trainer_.reset();
  TrainerSettings settings = trainer_settings(options_);
  settings.layers = inputs_.layers;
  settings.heartbeat = &heartbeat_;
  settings.initial_values = values_to_make(start_);
  trainer_ = std::make_unique<Trainer>(device_, world_, plan(), settings);
  saves_.emplace(options_, start_, device_, *trainer_, heartbeat_,
                 [this](int64_t step, const std::string& text) { tell_saved(step, text); });
}

// Collective. Where GPUs compute, nobody minds which cores the hosts have, unless they update.
void TrainingRun::tell_places() {
  const std::string routes = describe_routes(trainer_->groups());
  say(concat("comm     ", is_gpu() ? "NCCL between GPUs; hosts: " : "", routes));
  std::vector<std::string> warnings = route_warnings(trainer_->groups());
  if (!is_gpu() || plan().offload == Offload::optimizer) {
    for (std::string& warning :
         placement_warnings(world_, placement_of_rank(host_.local_cpus, host_.local_ranks))) {
      warnings.push_back(std::move(warning));
    }
  }
  for (const std::string& warning : warnings) say(warning, Emphasis::warning);
}

// What is to come; what was captured is told after it.
void TrainingRun::tell_graphs() {
  if (trainer_->uses_graphs()) {
    say(concat("graphs   steps are captured after step ", start_.step + kStepsBeforeGraphs));
  } else if (options_.cuda_graphs == CudaGraphs::automatic) {
    say(concat("graphs   none: ", obstacle_to_graphs(plan(), inputs_.layers, device_.device())));
  } else if (is_gpu()) {
    say("graphs   off");
  }
}

// Rank 0's. A driver without NVML is no reason not to train.
void TrainingRun::tell_gpu() {
  const std::string& uuid = cuda_of(device_).facts().uuid;
  const Outcome outcome = attempt([&] { say("gpu      " + describe(read_gpu_state(uuid))); });
  if (outcome.kind != Outcome::Kind::ok) say(outcome.message, Emphasis::warning);
}

// The MFU denominator: every rank multiplies at the same time, as in a step.
void TrainingRun::measure_peak() {
  world_.barrier();
  // Ranks that share a core need several time slices each to be measured sharing it.
  const bool has_own_core = host_.local_ranks <= host_.local_cpus;
  const double measure_s = has_own_core ? 0.05 : 0.15;
  double rate = ops::measure_matmul_rate(device_, compute_dtype(plan().precision), measure_s);
  device_.release_unused();
  world_.all_reduce({&rate, 1, DType::fp64});
  peak_flops_per_s_ = rate;
  say(concat("matmul   ", ops::matmul_description(device_.device()),
             options_.policy.allow_tf32 ? ", fp32 as TF32" : ""));
  say(concat("attend   ", ops::attention_description(device_.device())));
  say(concat("peak     ", format_fixed(rate / 1e9, 1), " GFLOP/s in ",
             to_string(compute_dtype(plan().precision)), " by ",
             world_.size() == 1 ? "1 rank" : concat(world_.size(), " ranks at once"),
             ": the MFU denominator"));
  if (is_root()) write_machine();
}

void TrainingRun::write_machine() const {
  run_dir_->write_machine({.device = options_.device,
                           .cpu = cpu_model(),
                           .cores = usable_cores().count(),
                           .ranks = world_.size(),
                           .local_ranks = host_.local_ranks,
                           .threads_per_rank = ops::num_threads(),
                           .peak_flops_per_s = peak_flops_per_s_ / world_.size(),
                           .first_step = start_.step + 1,
                           .gpu = is_gpu() ? cuda_of(device_).facts().name : "",
                           .gpu_memory_bytes = is_gpu() ? memory_limit_bytes_ : 0});
}

// Rank 0's: the others wait for it, or it for them.
void TrainingRun::tell_start() {
  if (!is_root() || host_.start_times == nullptr) return;
  if (!start_.checkpoint.empty()) lap("checkpoint");
  const std::string text = host_.start_times->text();
  say("start    " + text);
  run_dir_->append_event(start_.step, "start", text);
}

void TrainingRun::restore() {
  heartbeat_.act("loading");
  if (start_.checkpoint.empty() && start_.adapter.empty()) return;
  const Clock::time_point begin = Clock::now();
  const int64_t first_choice = start_.step;
  while (const auto problem = problem_of_loading()) fall_back(*problem);
  if (start_.step != first_choice) begin_run_dir();
  if (is_root()) set_damaged_aside();
  say(concat(describe(start_), " in ", format_seconds(seconds_since(begin))), Emphasis::strong);
}

// Collective, the same on all ranks. Nothing where all of it was loaded.
std::optional<std::string> TrainingRun::problem_of_loading() {
  try {
    restore_start(trainer_->context(), start_, trainer_->parameters(), trainer_->optimizer());
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

// Collective. To the checkpoint before the one that cannot be loaded, if --resume leaves the
// choice to us. All weights are made anew: nothing of the damaged one stays.
void TrainingRun::fall_back(const std::string& problem) {
  const std::optional<StartPoint> older = older_start(world_, options_, plan(), start_);
  if (!older) {
    throw Error(start_.older_step == 0 || options_.resume == "auto"
                    ? problem
                    : concat(problem, "; --resume ", start_.older_step,
                             " goes on from the checkpoint before it"));
  }
  const std::string text = concat("step ", start_.step, " cannot be loaded (", problem,
                                  "); --resume auto falls back to step ", older->step);
  say(text, Emphasis::warning);
  if (is_root()) run_dir_->append_event(start_.step, "damaged checkpoint", text);
  start_ = *older;
  last_step_ = start_.step;
  for (const std::string& warning : start_.warnings) say(warning, Emphasis::warning);
  make_trainer();
}

// Rank 0's.
void TrainingRun::set_damaged_aside() {
  for (const fs::path& path : set_passed_over_aside(options_, start_)) {
    const std::string text = concat("kept as ", path.string(), ": no later save replaces it");
    say(text, Emphasis::warning);
    run_dir_->append_event(start_.step, "damaged checkpoint", text);
  }
}

// Collective. For a start from another step than the one the folder was opened for.
void TrainingRun::begin_run_dir() {
  on_root(world_, [&] {
    run_dir_->begin(to_json(plan()), options_.resolved, start_.step);
    keep_tokenizer(inputs_.tokenizer_folder, options_.run_dir);
    run_dir_->write_status(RunState::running, 0, start_.step, "");
    if (peak_flops_per_s_ > 0) write_machine();
  });
}

}  // namespace argosy
