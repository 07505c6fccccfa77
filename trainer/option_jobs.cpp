// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/option_jobs.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "planner/spec/check.h"

namespace argosy {

namespace {

using Jobs = unsigned;  // a bit for each
constexpr Jobs kTrain = 1, kVerify = 2, kText = 4, kChat = 8, kTokenize = 16, kMeasure = 32;
constexpr Jobs kSteps = kTrain | kVerify;  // --verify compares what a training would do
constexpr Jobs kGenerate = kText | kChat;  // a text that goes on, or an answer
constexpr Jobs kWeights = kSteps | kGenerate;
constexpr Jobs kAll = kWeights | kTokenize | kMeasure;

struct Row {
  Jobs jobs;
  std::array<std::string_view, 8> options;
};

// Every option once. The plan is for all: argosy-launch names it, whatever the job is. Of options
// that must say what the plan says, --generate checks LoRA's.
constexpr Row kRows[] = {
    {kAll, {"help", "config", "plan", "check-options"}},
    {kAll & ~kTokenize, {"device", "share-gpus", "allow-tf32", "deterministic"}},
    {kWeights | kTokenize, {"tokenizer", "init", "end-of-text"}},
    {kSteps | kTokenize, {"data"}},
    {kSteps | kTokenize | kChat, {"chat-template-kwargs"}},
    {kWeights, {"run-dir", "init-adapter", "precision", "seed"}},
    {kWeights, {"lora-rank", "lora-alpha", "lora-targets"}},
    {kTrain, {"epochs", "warmup-ratio"}},
    {kSteps, {"eval-fraction"}},
    {kSteps, {"steps", "resume", "packing", "document-mask", "dropout", "optimizer", "overlap"}},
    {kSteps, {"lr", "min-lr", "warmup", "lr-schedule", "beta1", "beta2", "eps", "weight-decay"}},
    {kSteps, {"clip", "cuda-graphs", "check-replicas", "check-collectives", "watchdog"}},
    {kSteps, {"router-aux-loss-coef", "router-aux-loss", "router-bias-update-rate"}},
    {kSteps, {"mtp-loss-scaling-factor"}},
    {kSteps, {"checkpoint-every", "keep-checkpoints", "eval-data", "eval-every", "eval-steps"}},
    {kGenerate, {"generate", "chat", "max-new-tokens", "temperature", "top-k"}},
    {kMeasure, {"measure", "measure-seconds"}},
    {kTokenize, {"tokenize"}},
    {kVerify, {"verify"}}};

bool is_job(std::string_view option) {
  return option == "verify" || option == "generate" || option == "tokenize" || option == "measure";
}

Jobs jobs_of(std::string_view option) {
  for (const Row& row : kRows) {
    if (std::find(row.options.begin(), row.options.end(), option) != row.options.end())
      return row.jobs;
  }
  CHECK(false, option);
  return kAll;
}

Jobs job_of(const TrainOptions& options) {
  switch (options.mode) {
    case TrainMode::train:
      return kTrain;
    case TrainMode::verify:
      return kVerify;
    case TrainMode::generate:
      return options.chat ? kChat : kText;
    case TrainMode::tokenize:
      return kTokenize;
    case TrainMode::measure:
      return kMeasure;
    case TrainMode::help:
      break;
  }
  return kAll;
}

std::string describe(Jobs jobs) {
  if ((jobs & kText) != 0) jobs &= ~kChat;
  std::string text;
  const auto add = [&](Jobs job, const char* name) {
    if ((jobs & job) != 0) append_listed(text, name);
  };
  add(kTrain, "in training");
  add(kVerify, "with --verify");
  add(kText, "with --generate");
  add(kChat, "with --generate --chat");
  add(kTokenize, "with --tokenize");
  add(kMeasure, "with --measure");
  return text;
}

// What the launcher says of any job that it starts again: nothing, or that it takes the newest
// checkpoint.
bool is_of_launcher(const ConfigOption& option) {
  return option.key == "resume" && (option.value == "none" || option.value == "auto");
}

}  // namespace

void refuse_options_of_other_jobs(const std::vector<ConfigOption>& given,
                                  const TrainOptions& options) {
  const Jobs job = job_of(options);
  for (const ConfigOption& option : given) {
    const Jobs jobs = jobs_of(option.key);
    if ((jobs & job) != 0 || is_of_launcher(option)) continue;
    const std::string valid = is_job(option.key) ? "one of them" : describe(jobs);
    throw ConfigError(
        concat("--", option.key, ": has no effect ", describe(job), "; valid: ", valid));
  }
}

}  // namespace argosy
