// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/train_command.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "checkpoint/exchange.h"
#include "planner/report/run_report.h"
#include "planner/report/units.h"
#include "planner/spec/clock.h"
#include "trainer/means_over_ranks.h"
#include "trainer/ops/device_policy.h"
#include "trainer/run_report.h"
#include "trainer/step_metrics.h"
#include "trainer/training_run.h"

namespace argosy {

int TrainingRun::operator()() {
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

void TrainingRun::write_failure(int exit_code, const std::string& message) {
  if (run_dir_) run_dir_->write_status(RunState::failed, exit_code, last_step_, message);
}

int TrainingRun::train() {
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
bool TrainingRun::run_step(int64_t step) {
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
  if (is_root()) {
    metrics.start = run_dir_->start();
    metrics.layout = layout_text(plan());
    report_step(metrics);
  }
  if (step == start_.step + 1) tell_slow_paths();
  tell_captured(step);
  return end.stop_requested;
}

// Collective. The last step's state is not lost with a step that is not finite.
StepResult TrainingRun::step_or_rescue(int64_t step, double lr) {
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
void TrainingRun::tell_slow_paths() {
  for (const std::string& line : ops::slow_paths(device_)) say(line, Emphasis::warning);
}

void TrainingRun::tell_captured(int64_t step) {
  const GraphFacts* facts = trainer_->graph_facts();
  if (facts == nullptr || facts->after_step + 1 != step) return;
  say("graphs   " + to_string(*facts));
  if (is_root()) run_dir_->append_event(step, "graphs", to_string(*facts));
}

void TrainingRun::report_step(StepMetrics metrics) {
  const std::string doubt = doubt_of_step(&metrics, peak_flops_per_s_, &doubts_peak_);
  run_dir_->append(metrics);
  StepLineContext context;
  context.total_steps = options_.steps;
  if (plan().predicted.mfu > 0) context.planned_mfu = plan().predicted.mfu;
  context.memory_limit_bytes = memory_limit_bytes_;
  context.eta_s = eta_.remaining_s(options_.steps - metrics.step);
  progress_.line(step_line(metrics, context));
  if (metrics.trained_tokens == 0) warn_of_no_targets(metrics.step);
  if (!doubt.empty()) warn_of_doubtful_peak(metrics.step, doubt);
  progress_.status(progress_bar(metrics.step, options_.steps, *context.eta_s));
}

void TrainingRun::warn_of_doubtful_peak(int64_t step, const std::string& text) {
  progress_.text(text, Emphasis::warning);
  run_dir_->append_event(step, "doubtful peak", text);
}

void TrainingRun::warn_of_no_targets(int64_t step) {
  const std::string text = concat("step ", step, ": no token of it is to be predicted: the loss ",
                                  "is 0, only decay and momentum moved the weights");
  progress_.text(text, Emphasis::warning);
  run_dir_->append_event(step, "no targets", text);
}

double TrainingRun::evaluate(int64_t step) {
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

void TrainingRun::tell_saved(int64_t step, const std::string& text) {
  say("saved " + text);
  if (is_root()) run_dir_->append_event(step, "checkpoint", text);
}

int TrainingRun::finish(RunState state, int exit_code, const std::string& message) {
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
