// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_length.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

constexpr int64_t kMostRampSteps = 1000;  // each has a plan

// Of a ramp: sequences in all that have this batch.
struct RampPart {
  int64_t global_batch = 0;
  double samples = 0;
};

// As Megatron reads "2.4B": K, M, B, T are powers of a thousand.
std::optional<double> scaled_number(std::string_view text) {
  double scale = 1;
  constexpr std::string_view kSuffixes = "KMBTkmbt";
  if (!text.empty() && kSuffixes.find(text.back()) != std::string_view::npos) {
    scale = std::pow(1000.0, static_cast<double>(kSuffixes.find(text.back()) % 4 + 1));
    text.remove_suffix(1);
  }
  const std::optional<double> value = number_in<double>(text);
  if (!value || !(*value >= 0) || *value * scale > 1e18) return std::nullopt;
  return std::floor(*value * scale);
}

// From how many tokens on the batch is so large.
struct BatchFrom {
  double tokens = 0, global_batch = 0;
};

// "0:16 2.4B:320": empty if it is not such a list.
std::vector<BatchFrom> batch_schedule(std::string text) {
  std::replace(text.begin(), text.end(), ',', ' ');
  std::vector<BatchFrom> schedule;
  for (size_t begin = text.find_first_not_of(' '); begin != std::string::npos;) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view entry = std::string_view(text).substr(begin, end - begin);
    const size_t colon = std::min(entry.find(':'), entry.size() - 1);
    const std::optional<double> tokens = scaled_number(entry.substr(0, colon));
    const std::optional<double> batch = scaled_number(entry.substr(colon + 1));
    if (!tokens || !batch || entry[colon] != ':') return {};
    schedule.push_back({*tokens, *batch});
    begin = text.find_first_not_of(' ', end);
  }
  return schedule;
}

class LengthReader {
 public:
  LengthReader(MegatronFlags& flags, int64_t batch_unit, PeerRun& run)
      : flags_(flags), unit_(batch_unit), run_(run) {}

  void read() {
    const bool says_batch = flags_.has("--global-batch-size");
    run_.global_batch = flags_.count("--global-batch-size", unit_);
    std::vector<RampPart> ramp = read_schedule(says_batch);
    if (ramp.empty()) ramp = read_ramp();
    const auto seq_len = static_cast<double>(run_.seq_len);
    const bool says_samples = flags_.has("--train-samples");
    const bool says_steps = flags_.has("--train-iters");
    const auto samples = static_cast<double>(flags_.count("--train-samples", 1));
    double steps = static_cast<double>(flags_.count("--train-iters", 1)), ramp_samples = 0;
    for (const RampPart& part : ramp) {
      run_.ramp.push_back({part.global_batch, part.samples * seq_len});
      ramp_samples += part.samples;
      steps -= part.samples / static_cast<double>(part.global_batch);
    }
    if (says_samples) run_.tokens = samples * seq_len;
    if (says_steps && !says_samples) {
      run_.tokens =
          (ramp_samples + std::max(0.0, steps) * static_cast<double>(run_.global_batch)) * seq_len;
    }
    if (run_.tokens > 0 && ramp_samples * seq_len >= run_.tokens) {
      refuse_flag("a ramp of the batch beyond --train-samples or --train-iters",
                  "a run that is longer than its ramp");
    }
  }

 private:
  // --step-batch-size-schedule "0:BATCH TOKENS:BATCH ...": the last batch is the run's. Megatron
  // counts whole sequences.
  std::vector<RampPart> read_schedule(bool says_batch) {
    const char* const flag = "--step-batch-size-schedule";
    if (!flags_.has(flag)) return {};
    std::string text;  // one word in quotes, or what a shell makes of it without
    for (const std::string& word : flags_.words(flag))
      text += concat(text.empty() ? "" : " ", word);
    const std::vector<BatchFrom> schedule = batch_schedule(text);
    if (!is_valid(schedule)) {
      refuse_flag(concat(flag, " ", text),
                  concat("\"0:BATCH TOKENS:BATCH ...\", at most ", kMostRampSteps,
                         " of them with more tokens each, all batches multiples of "
                         "dp*micro-batch = ",
                         unit_));
    }
    const auto last = static_cast<int64_t>(schedule.back().global_batch);
    if (says_batch && run_.global_batch != last) {
      refuse_flag(concat(flag, " with --global-batch-size ", run_.global_batch),
                  concat("the schedule alone, or its last batch, ", last));
    }
    run_.global_batch = last;
    std::vector<RampPart> ramp;
    ramp.reserve(schedule.size());
    for (size_t i = 0; i + 1 < schedule.size(); ++i) {
      ramp.push_back({static_cast<int64_t>(schedule[i].global_batch),
                      samples_at(schedule[i + 1]) - samples_at(schedule[i])});
    }
    return ramp;
  }
  double samples_at(const BatchFrom& step) const {
    return std::floor(step.tokens / static_cast<double>(run_.seq_len));
  }
  bool is_valid(const std::vector<BatchFrom>& schedule) const {
    if (schedule.empty() || schedule.front().tokens != 0) return false;
    for (size_t i = 0; i < schedule.size(); ++i) {
      const double batch = schedule[i].global_batch;
      if (batch < 1 || std::fmod(batch, static_cast<double>(unit_)) != 0) return false;
      if (i > 0 && samples_at(schedule[i]) <= samples_at(schedule[i - 1])) return false;
    }
    return static_cast<int64_t>(schedule.size()) <= kMostRampSteps;
  }

  // --rampup-batch-size START INCREMENT SAMPLES: batches with their samples, as Megatron deals
  // them.
  std::vector<RampPart> read_ramp() {
    const char* const flag = "--rampup-batch-size";
    const std::vector<int64_t> values = flags_.counts(flag);
    if (values.empty()) return {};
    if (values.size() != 3) refuse_flag(flag, "START INCREMENT SAMPLES, three numbers");
    const int64_t start = values[0], increment = values[1], rest = run_.global_batch - start;
    if (rest <= 0 || rest % increment != 0 || start % unit_ != 0 || increment % unit_ != 0 ||
        rest / increment > kMostRampSteps) {
      refuse_flag(
          concat(flag, " ", start, " ", increment, " ", values[2], " up to ", run_.global_batch),
          concat("at most ", kMostRampSteps,
                 " equal increments up to --global-batch-size, all multiples of dp*micro-"
                 "batch = ",
                 unit_));
    }
    const int64_t num_steps = rest / increment;
    std::vector<RampPart> ramp;
    ramp.reserve(static_cast<size_t>(num_steps));
    for (int64_t i = 0; i < num_steps; ++i) {
      ramp.push_back(
          {start + i * increment, static_cast<double>(values[2]) / static_cast<double>(num_steps)});
    }
    return ramp;
  }

  MegatronFlags& flags_;
  int64_t unit_;
  PeerRun& run_;
};

}  // namespace

void read_megatron_length(MegatronFlags& flags, int64_t batch_unit, PeerRun& run) {
  LengthReader(flags, batch_unit, run).read();
}

}  // namespace argosy
