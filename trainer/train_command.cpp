// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/train_command.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "planner/spec/clock.h"
#include "planner/spec/cores.h"
#include "planner/spec/host.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/nvml.h"
#include "trainer/means_over_ranks.h"
#include "trainer/model_checkpoint.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/device_policy.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/threads.h"
#include "trainer/placement.h"
#include "trainer/run/progress.h"
#include "trainer/run/run_dir.h"
#include "trainer/run/step_line.h"
#include "trainer/run_report.h"
#include "trainer/run_saves.h"
#include "trainer/run_setup.h"
#include "trainer/run_tokenizer.h"
#include "trainer/start_point.h"
#include "trainer/step_metrics.h"
#include "trainer/trainer.h"
#include "trainer/watchdog.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

// Of its GPU; on the CPU a share of the machine's.
int64_t memory_of_rank_bytes(const DeviceContext& device, int local_ranks) {
  if (device.backend().cuda() != nullptr) return device.backend().total_bytes();
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE) /
         std::max(local_ranks, 1);
}

class TrainingRun {
 public:
  TrainingRun(const TrainOptions& options, DeviceContext& device, Communicator& world,
              const TrainHost& host)
      : options_(options),
        world_(world),
        host_(host),
        inputs_(open_inputs(world, options)),
        progress_(*host.out, detect_terminal(STDOUT_FILENO)),
        device_(device) {
    lap("inputs");
  }

  int operator()() {
    start_ = find_start(world_, options_, plan());
    last_step_ = start_.step;
    open_run_dir();
    if (options_.watchdog_s > 0 && host_.on_stall) {
      watchdog_.emplace(heartbeat_, world_.rank(), static_cast<double>(options_.watchdog_s),
                        host_.on_stall);
    }
    lap("run folder");
    prepare();
    return train();
  }

  void write_failure(int exit_code, const std::string& message) {
    if (run_dir_) run_dir_->write_status(RunState::failed, exit_code, last_step_, message);
  }

 private:
  bool is_root() const { return world_.rank() == 0; }
  const Plan& plan() const { return inputs_.plan; }
  void say(const std::string& text, Emphasis emphasis = Emphasis::plain) {
    if (is_root()) progress_.text(text, emphasis);
  }

  void lap(std::string_view phase) {
    if (host_.start_times != nullptr) host_.start_times->lap(phase);
  }

  void open_run_dir() {
    on_root(world_, [&] {
      run_dir_ = std::make_unique<RunDir>(options_.run_dir, options_.resume != "none");
    });
    begin_run_dir();
  }

  void prepare() {
    for (const std::string& warning : start_.warnings) say(warning, Emphasis::warning);
    if (options_.lr.warmup_steps > options_.steps) {
      say(concat("--warmup: ", options_.lr.warmup_steps, " steps of ", options_.steps,
                 ": the run ends before --lr is reached"),
          Emphasis::warning);
    }
    if (plan().task == Task::lora && start_.checkpoint.empty())
      say("LoRA on initial values: --init names no weights", Emphasis::warning);
    const int cpu_threads = device_.device() == Device::cpu ? ops::num_threads() : 0;
    for (const std::string& line : describe_run(plan(), cpu_threads)) say(line);
    if (is_root()) tell_data();
    if (plan().task == Task::lora) say(trainable_line(plan()), Emphasis::strong);
    memory_limit_bytes_ = memory_of_rank_bytes(device_, host_.local_ranks);
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

  void tell_data() {
    const TokenSource& source = *inputs_.data.source;
    say(describe_data(options_.data, source, inputs_.tokenizer));
    const std::string warning = data_warning(source, inputs_.tokenizer, plan().model.vocab_size);
    if (options_.tokenizer.empty() && !warning.empty()) say(warning, Emphasis::warning);
  }

  // Collective. With initial values; one that was there is gone before.
  void make_trainer() {
    saves_.reset();
    trainer_.reset();
    TrainerSettings settings = trainer_settings(options_);
    settings.layers = inputs_.layers;
    settings.heartbeat = &heartbeat_;
    trainer_ = std::make_unique<Trainer>(device_, world_, plan(), settings);
    saves_.emplace(options_, start_, device_, *trainer_, heartbeat_,
                   [this](int64_t step, const std::string& text) { tell_saved(step, text); });
  }

  bool is_gpu() const { return device_.backend().cuda() != nullptr; }

  // Collective. Where GPUs compute, nobody minds which cores the hosts have.
  void tell_places() {
    const std::string routes = describe_routes(trainer_->groups());
    say(concat("comm     ", is_gpu() ? "NCCL between GPUs; hosts: " : "", routes));
    std::vector<std::string> warnings = route_warnings(trainer_->groups());
    if (!is_gpu()) {
      for (std::string& warning : placement_warnings(world_, placement_of_rank(host_.local_cpus))) {
        warnings.push_back(std::move(warning));
      }
    }
    for (const std::string& warning : warnings) say(warning, Emphasis::warning);
  }

  // What is to come; what was captured is told after it.
  void tell_graphs() {
    if (trainer_->uses_graphs()) {
      say(concat("graphs   steps are captured after step ", start_.step + kStepsBeforeGraphs));
    } else if (options_.cuda_graphs == CudaGraphs::automatic) {
      say(concat("graphs   none: ", obstacle_to_graphs(plan(), inputs_.layers, device_.device())));
    } else if (is_gpu()) {
      say("graphs   off");
    }
  }

  void tell_captured(int64_t step) {
    const GraphFacts* facts = trainer_->graph_facts();
    if (facts == nullptr || facts->after_step + 1 != step) return;
    say("graphs   " + to_string(*facts));
    if (is_root()) run_dir_->append_event(step, "graphs", to_string(*facts));
  }

  // Rank 0's. A driver without NVML is no reason not to train.
  void tell_gpu() {
    const std::string& uuid = cuda_of(device_).facts().uuid;
    const Outcome outcome = attempt([&] { say("gpu      " + describe(read_gpu_state(uuid))); });
    if (outcome.kind != Outcome::Kind::ok) say(outcome.message, Emphasis::warning);
  }

  // The MFU denominator: every rank multiplies at the same time, as in a step.
  void measure_peak() {
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

  void write_machine() const {
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
  void tell_start() {
    if (!is_root() || host_.start_times == nullptr) return;
    if (!start_.checkpoint.empty()) lap("checkpoint");
    const std::string text = host_.start_times->text();
    say("start    " + text);
    run_dir_->append_event(start_.step, "start", text);
  }

  void restore() {
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
  std::optional<std::string> problem_of_loading() {
    try {
      restore_start(trainer_->context(), start_, trainer_->parameters(), trainer_->optimizer());
    } catch (const Error& error) {
      return error.what();
    }
    return std::nullopt;
  }

  // Collective. To the checkpoint before the one that cannot be loaded, if --resume leaves the
  // choice to us. All weights are made anew: nothing of the damaged one stays.
  void fall_back(const std::string& problem) {
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
  void set_damaged_aside() {
    for (const fs::path& path : set_passed_over_aside(options_, start_)) {
      const std::string text = concat("kept as ", path.string(), ": no later save replaces it");
      say(text, Emphasis::warning);
      run_dir_->append_event(start_.step, "damaged checkpoint", text);
    }
  }

  // Collective. For a start from another step than the one the folder was opened for.
  void begin_run_dir() {
    on_root(world_, [&] {
      run_dir_->begin(to_json(plan()), options_.resolved, start_.step);
      keep_tokenizer(inputs_.tokenizer_folder, options_.run_dir);
      run_dir_->write_status(RunState::running, 0, start_.step, "");
      if (peak_flops_per_s_ > 0) write_machine();
    });
  }

  int train() {
    if (start_.step >= options_.steps) {
      say(concat("nothing to do: the checkpoint is of step ", start_.step, " of ", options_.steps),
          Emphasis::warning);
    }
    if (inputs_.evaluation.source) evaluate(start_.step);
    for (int64_t step = start_.step + 1; step <= options_.steps; ++step) {
      const bool stop = run_step(step);
      const bool is_last = step == options_.steps;
      const int64_t every = options_.checkpoint_every.value_or(options_.steps);  // 0: never
      const bool is_due = every > 0 && (is_last || step % every == 0);
      if (is_due || stop) saves_->begin(step);
      if (stop && !is_last)
        return finish(RunState::requeue, kExitRequeue, "stopped by a signal; saved");
    }
    return finish(RunState::done, kExitDone, "");
  }

  // True if any rank was asked to stop.
  bool run_step(int64_t step) {
    const Clock::time_point begin = Clock::now();
    const double lr = learning_rate(options_.lr, step, options_.steps);
    const StepResult result = step_or_rescue(step, lr);
    Communicator& all = trainer_->groups().control();
    StepMetrics metrics = metrics_of(plan(), step, lr, result);
    const StepEnd end =
        gather_end(all, {seconds_since(begin), host_.stop_requested(), saves_->is_writing()},
                   result.memory, &metrics);
    if (!end.is_writing) saves_->finish();  // all have written
    add_rates(plan(), end.step_s, peak_flops_per_s_, &metrics);
    gather_parts(all, result.parts, &metrics);
    mean_parts_.add(*metrics.parts);
    metrics.ops = mean_over_ranks(all, result.ops);
    last_step_ = step;
    last_timeline_ = result.timeline;
    eta_.add_step(metrics.step_s);
    const bool is_last = step == options_.steps;
    if (inputs_.evaluation.source &&
        (is_last || (options_.eval_every > 0 && step % options_.eval_every == 0))) {
      metrics.eval_loss = evaluate(step);
    }
    if (is_root()) report_step(metrics);
    if (step == start_.step + 1) tell_slow_paths();
    tell_captured(step);
    return end.stop_requested;
  }

  // Collective. The last step's state is not lost with a step that is not finite.
  StepResult step_or_rescue(int64_t step, double lr) {
    try {
      return trainer_->step(*inputs_.data.source, *inputs_.data.order, step, lr);
    } catch (const NotFinite& error) {
      std::string rescued;
      const Outcome outcome = attempt([&] { rescued = saves_->rescue(last_step_); });
      if (!outcome.ok()) rescued = concat("step ", last_step_, " is not saved: ", outcome.message);
      throw Error(concat(error.what(), "; ", rescued));
    }
  }

  // The first step has met all shapes of a run.
  void tell_slow_paths() {
    for (const std::string& line : ops::slow_paths(device_)) say(line, Emphasis::warning);
  }

  void report_step(const StepMetrics& metrics) {
    run_dir_->append(metrics);
    StepLineContext context;
    context.total_steps = options_.steps;
    if (plan().predicted.mfu > 0) context.planned_mfu = plan().predicted.mfu;
    context.memory_limit_bytes = memory_limit_bytes_;
    context.eta_s = eta_.remaining_s(options_.steps - metrics.step);
    progress_.line(step_line(metrics, context));
    if (metrics.trained_tokens == 0) warn_of_no_targets(metrics.step);
    if (!doubts_peak_) warn_of_doubtful_peak(metrics);
    progress_.status(progress_bar(metrics.step, options_.steps, *context.eta_s));
  }

  // Once: later steps are no surer.
  void warn_of_doubtful_peak(const StepMetrics& metrics) {
    const std::string text = doubt_of_peak(metrics, peak_flops_per_s_);
    doubts_peak_ = !text.empty();
    if (!doubts_peak_) return;
    progress_.text(text, Emphasis::warning);
    run_dir_->append_event(metrics.step, "doubtful peak", text);
  }

  void warn_of_no_targets(int64_t step) {
    const std::string text = concat("step ", step, ": no token of it is to be predicted: the loss ",
                                    "is 0, only decay and momentum moved the weights");
    progress_.text(text, Emphasis::warning);
    run_dir_->append_event(step, "no targets", text);
  }

  double evaluate(int64_t step) {
    heartbeat_.act("evaluation");
    const Clock::time_point begin = Clock::now();
    const int64_t samples = inputs_.evaluation.order->num_samples();
    const int64_t size = plan().global_batch;
    const int64_t batches = std::min((samples + size - 1) / size, options_.eval_steps);
    const double loss =
        trainer_->evaluate(*inputs_.evaluation.source, *inputs_.evaluation.order, batches);
    const std::string text =
        concat("held-out loss ", format_fixed(loss, 4), ", perplexity ",
               format_fixed(std::exp(loss), 3), ", ", batches,
               batches == 1 ? " batch in " : " batches in ", format_seconds(seconds_since(begin)));
    say(concat("eval ", step, "/", options_.steps, " | ", text), Emphasis::strong);
    if (is_root()) run_dir_->append_event(step, "evaluation", text);
    return loss;
  }

  void tell_saved(int64_t step, const std::string& text) {
    say("saved " + text);
    if (is_root()) run_dir_->append_event(step, "checkpoint", text);
  }

  int finish(RunState state, int exit_code, const std::string& message) {
    saves_->finish();
    heartbeat_.act("report");
    const std::string events = timeline_to_text(last_timeline_);
    const std::vector<std::string> all_events =
        gather_strings_at_root(trainer_->groups().control(), events);
    if (!is_root()) return exit_code;
    Timeline measured;
    measured.step_s = last_timeline_.step_s;
    for (const std::string& text : all_events) append_timeline(text, &measured);
    write_run_report(*run_dir_, plan(), measured);
    run_dir_->write_status(state, exit_code, last_step_, message);
    progress_.status("");
    if (!message.empty()) progress_.text(message, Emphasis::warning);
    if (mean_parts_.num_steps() > 0) progress_.text("time   " + describe(mean_parts_.value()));
    progress_.text(
        concat("report ", run_dir_->report().string(), ", trace ", run_dir_->trace().string()));
    return exit_code;
  }

  const TrainOptions& options_;
  Communicator& world_;
  const TrainHost& host_;
  RunInputs inputs_;
  Progress progress_;
  DeviceContext& device_;
  std::unique_ptr<RunDir> run_dir_;  // rank 0
  std::unique_ptr<Trainer> trainer_;
  Heartbeat heartbeat_;
  EtaEstimator eta_;
  MeanParts mean_parts_;
  Timeline last_timeline_;
  double peak_flops_per_s_ = 0;  // of all ranks together
  bool doubts_peak_ = false;     // and has said so
  int64_t memory_limit_bytes_ = 0;
  StartPoint start_;
  int64_t last_step_ = 0;
  std::optional<RunSaves> saves_;     // of trainer_, once there is one
  std::optional<Watchdog> watchdog_;  // declared last: ends first
};

}  // namespace

int run_training(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 const TrainHost& host) {
  TrainingRun run(options, device, world, host);
  try {
    return run();
  } catch (const ConfigError& error) {
    run.write_failure(kExitUserError, error.what());
    throw;
  } catch (const std::exception& error) {
    run.write_failure(kExitFailure, error.what());
    throw;
  }
}

}  // namespace argosy
