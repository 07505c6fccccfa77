// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a step reports, and its line of metrics.jsonl.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/types.h"
#include "trainer/run/router_metrics.h"
#include "trainer/run/step_parts.h"

namespace argosy {

// One optimizer step of the whole job. Ratios are fractions.
struct StepMetrics {
  int64_t step = 0;      // from 1
  double loss = 0;       // cross entropy per unmasked token before the update, nothing else added
  double grad_norm = 0;  // global L2 norm of the objective's gradient before clipping
  double lr = 0;
  double step_s = 0;   // wall time of the slowest rank
  int64_t tokens = 0;  // positions: global_batch * seq_len
  double tokens_per_s = 0;
  double mfu = 0, mfu_palm = 0, hfu = 0;  // not finite: the peak is in doubt (forget_mfu)
  std::array<int64_t, kNumMemoryCategories> memory_bytes{};  // peaks of the fullest rank
  int64_t peak_bytes = 0;                                    // of all categories together

  std::optional<double> aux_loss, z_loss;  // as they enter the objective, coefficients included
  // Of each module for multi-token prediction, cross entropy per token that it predicts; no
  // coefficient. Empty: the model has none.
  std::vector<double> mtp_losses = {};
  std::optional<double> moe_imbalance;    // most loaded expert's tokens over the mean, over layers
  std::optional<double> moe_dropped;      // share of the routed rows
  std::optional<RouterMetrics> router;    // the same and more of each mixture layer
  std::optional<double> bubble_fraction;  // idle share of the step of the average stage
  std::optional<double> exposed_comm_s;   // seconds that communication took from the average rank
  std::optional<StepParts> parts;         // mean over the ranks; they sum to step_s
  std::optional<OpParts> ops;             // of them, by kind of op and collective
  std::optional<double> eval_loss;        // on the evaluation data after this step
  std::optional<int64_t> trained_tokens;  // unmasked tokens of this step
  std::optional<int64_t> host_bytes;      // offloaded, beside the device's, of the fullest rank
  int64_t start = 0;   // which start of the job made it, from 1 (RunDir::start); 0: not known
  std::string layout;  // under which it ran (planner/report/run_report.h); empty: not known

  bool operator==(const StepMetrics&) const = default;
};

// One JSON object without a line break. Numbers read back exactly; an unknown field has no key; a
// loss that is not finite is null, as JSON has no word for it.
std::string to_json_line(const StepMetrics& metrics);

// The inverse. Keys that this version does not know are ignored, so that older programs read newer
// runs. Throws ConfigError naming `where` and the key.
StepMetrics parse_metrics(std::string_view line, const std::string& where);

// All lines of a metrics.jsonl; a last line that was cut short by a crash is left out.
std::vector<StepMetrics> read_metrics(const std::filesystem::path& path);

// Of its last whole line; none where it has no such line.
std::optional<StepMetrics> last_metrics(const std::filesystem::path& path);

// Leaves no MFU of any kind to a step whose peak is in doubt: what is not to be trusted is not
// told.
void forget_mfu(StepMetrics* metrics);
bool knows_mfu(const StepMetrics& metrics);

struct StepRange {
  int64_t first = 0, last = 0;
  bool operator==(const StepRange&) const = default;
};

// A start measures its peak once: where it came into doubt, no MFU of that start is known, those
// before the doubt included. Returns the steps of these starts. `steps` ascend.
std::vector<StepRange> forget_doubted_mfu(std::vector<StepMetrics>* steps);

// The first of the trailing steps that ran under `layout`; one past the last step where it has made
// none since another. `steps` ascend.
int64_t first_step_of_layout(const std::vector<StepMetrics>& steps, std::string_view layout);

// The text of those lines whose step is at most `last_step`, unchanged.
std::string metrics_lines_until(const std::filesystem::path& path, int64_t last_step);

}  // namespace argosy
