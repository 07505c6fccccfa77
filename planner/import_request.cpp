// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --import: a setup for another framework instead of one's own decisions.
#include <optional>
#include <string_view>

#include "planner/exchange/megatron_import.h"
#include "planner/import_setup.h"
#include "planner/options.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

PeerRun read_peer(const ImportSetup& setup, int64_t num_devices, const ModelSpec* model) {
  switch (setup.format) {
    case PeerFormat::megatron:
      return import_megatron(setup.text, num_devices, model, setup.where);
    case PeerFormat::deepspeed:
      return import_deepspeed(setup.text, setup.where, num_devices);
    case PeerFormat::torchtitan:
      return import_torchtitan(setup.text, setup.where, num_devices, model);
  }
  return {};
}

// What both say could contradict.
void refuse_both(const PlanOptions& options, const ImportSetup& setup, const PeerRun& peer) {
  const auto refuse = [&setup](bool is_both, const char* option) {
    if (!is_both) return;
    throw ConfigError(
        concat(setup.option, ": with ", option, "; valid: the setup alone decides what it says"));
  };
  if (!options.fix.empty() && !options.frees_layout) {
    throw ConfigError(concat(setup.option,
                             ": with --fix; valid: the setup alone decides what it "
                             "says, or with --free layout, which searches the layout anew"));
  }
  refuse(options.seq_len > 0 && peer.seq_len > 0, "--seq-len");
  refuse(options.global_batch > 0 && peer.global_batch > 0, "--global-batch");
  if (!options.model.empty() && !peer.model_json.empty()) {
    throw ConfigError(
        concat("--model: ", setup.option,
               " describes the model already; valid: without --model, or without --num-layers "
               "among the flags"));
  }
}

// As for --seq-len and --global-batch.
void require_size(const ImportSetup& setup, const PeerRun& peer) {
  if (peer.seq_len > kMostTokens) {
    throw ConfigError(concat(setup.where, ": sequences of ", peer.seq_len,
                             " tokens; valid: at most ", kMostTokens));
  }
  if (peer.global_batch > kMostSequences) {
    throw ConfigError(concat(setup.where, ": a global batch of ", peer.global_batch,
                             " sequences; valid: at most ", kMostSequences));
  }
}

// A ramp of the batch as --phases has it, the run's own batch last.
std::string phases_of(const ImportSetup& setup, const PeerRun& peer, double tokens) {
  std::string phases;
  const auto add = [&](double phase_tokens, int64_t batch) {
    phases += concat(phases.empty() ? "" : ",", peer.seq_len, ":", format_fixed(phase_tokens, 0),
                     ":", batch);
  };
  double left = tokens;
  for (const RampStep& step : peer.ramp) {
    add(step.tokens, step.global_batch);
    left -= step.tokens;
  }
  if (tokens > 0 && left <= 0) {
    throw ConfigError(concat("--tokens: ", tokens, " end before the ramp of ", setup.option,
                             "; valid: more than ", tokens - left));
  }
  if (left > 0) add(left, peer.global_batch);
  return phases;
}

}  // namespace

int64_t devices_of_import(const ImportSetup& setup, const PlanOptions& options,
                          std::vector<std::string>& warnings) {
  const PeerLaunch& launch = setup.launch;
  if (launch.num_devices == 0) return options.devices;
  if (options.devices == 0) {
    warnings.push_back(
        concat(setup.where, ": ", launch.num_devices, " devices, as ", launch.said, " says"));
    return launch.num_devices;
  }
  if (options.devices != launch.num_devices) {
    warnings.push_back(concat(setup.where, " starts ", launch.num_devices, " ranks (", launch.said,
                              "), priced for --devices ", options.devices));
  }
  return options.devices;
}

namespace {

// The decisions of the setup; where its layout is free those of --fix, and of its own the one that
// says which tokens are trained on.
std::string fix_of(const PlanOptions& options, const PeerRun& peer) {
  if (!options.frees_layout) return peer.fix;
  constexpr std::string_view kCapacity = "moe_capacity_factor=";
  if (options.fix.find(kCapacity) != std::string::npos) return options.fix;
  const size_t begin = peer.fix.find(kCapacity);
  if (begin == std::string::npos) return options.fix;
  const std::string capacity = peer.fix.substr(begin, peer.fix.find(',', begin) - begin);
  return concat(options.fix, options.fix.empty() ? "" : ",", capacity);
}

}  // namespace

ModelSpec apply_import(const ImportSetup& setup, PlanOptions& options, int64_t num_devices,
                       Request& request) {
  std::vector<std::string>& warnings = request.warnings;
  std::optional<ModelSpec> model;
  if (!options.model.empty()) model = read_named_model(options.model, warnings);
  const PeerRun peer = read_peer(setup, num_devices, model ? &*model : nullptr);
  refuse_both(options, setup, peer);
  require_size(setup, peer);
  warnings.insert(warnings.end(), peer.warnings.begin(), peer.warnings.end());
  request.unmodelled_savings = peer.unmodelled_savings;
  options.precision = peer.precision;
  options.optimizer = peer.optimizer;
  options.fix = fix_of(options, peer);
  if (peer.global_batch > 0) options.global_batch = peer.global_batch;
  if (!(options.tokens > 0)) options.tokens = peer.tokens;
  if (!peer.ramp.empty()) {
    if (!options.phases.empty()) {
      throw ConfigError(
          concat("--phases: ", setup.option, " has a ramp of the batch; valid: without --phases"));
    }
    options.phases = phases_of(setup, peer, options.tokens);
  }
  if (peer.seq_len > 0) {
    options.seq_len = peer.seq_len;
  } else if (options.seq_len == 0) {
    warnings.push_back(concat(setup.where, ": has no sequence length, and no --seq-len is given: ",
                              "the default is priced"));
  }
  if (!peer.model_json.empty()) {
    ModelReading reading = parse_model(peer.model_json, "imported", setup.where);
    warnings.insert(warnings.end(), reading.warnings.begin(), reading.warnings.end());
    return std::move(reading.model);
  }
  if (model) return *std::move(model);
  if (!peer.model_config.empty()) return read_named_model(peer.model_config, warnings);
  return read_named_model(options.model, warnings);  // says that --model is missing
}

}  // namespace argosy
