// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --stack: whose kernels and overlap a job is timed with.
#include <iostream>

#include "planner/config_files.h"
#include "planner/options.h"
#include "planner/report/text_table.h"
#include "planner/score/run_setup.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kStackOption = "--stack";

std::filesystem::path configs_folder() {
  return find_config("stack", "any.json", {"stacks"}).parent_path().parent_path();
}

// Shares are of the curves of configs/accelerators, and of what its links and collectives reach:
// the cluster's own, measured or not, would count a loss twice.
void take_curves(const std::filesystem::path& configs, ClusterSpec& cluster) {
  Accelerator& accelerator = cluster.accelerator;
  for (const ClusterSpec& known : read_accelerators(configs / "accelerators")) {
    const Accelerator& curves = known.accelerator;
    if (curves.name != accelerator.name) continue;
    accelerator.sustained_share = curves.sustained_share;
    accelerator.matmul_efficiency = curves.matmul_efficiency;
    accelerator.attention_efficiency = curves.attention_efficiency;
    accelerator.memory_efficiency = curves.memory_efficiency;
    accelerator.op_overhead_s = curves.op_overhead_s;
    cluster.collectives = known.collectives;
    for (LinkTier& tier : cluster.tiers) {
      const bool is_inside = &tier == &cluster.tiers.front();
      tier.efficiency = (is_inside ? known.tiers.front() : known.tiers.back()).efficiency;
    }
  }
}

}  // namespace

void choose_stack(const PlanOptions& options, Job& job, std::vector<std::string>& warnings) {
  const bool is_cpu = job.cluster.device == Device::cpu;
  // The runs that profiles were fitted to multiply in 16, 8 or 4 bits.
  const bool is_wide = job.precision != Precision::bf16 && job.precision != Precision::fp8;
  if (options.stack == kOwnStack || (options.stack.empty() && (is_cpu || is_wide))) return;
  if (is_wide) {
    throw ConfigError(concat(kStackOption, ": '", options.stack, "' with --precision ",
                             to_string(job.precision),
                             ": its numbers are of runs in bf16 and fp8; valid: --precision bf16 "
                             "or fp8, or ",
                             kStackOption, " ", kOwnStack));
  }
  const std::filesystem::path configs = configs_folder();
  const std::vector<StackProfile> stacks = read_stacks(configs / "stacks");
  if (is_cpu) {
    stack_named(stacks, options.stack, kStackOption);
    throw ConfigError(concat(kStackOption, ": '", options.stack, "' on ", job.cluster.name,
                             ", a cluster of CPUs; valid: ", kOwnStack));
  }
  const StackProfile* profile = options.stack.empty()
                                    ? default_stack(stacks, job.cluster.accelerator.name)
                                    : &stack_named(stacks, options.stack, kStackOption);
  if (profile == nullptr) return;
  job.stack.name = profile->name;
  job.stack.facts = profile->facts;
  if (job.precision == Precision::fp8) job.stack.format = ProductFormat::fp8;
  job.stack.numbers = numbers_of(stacks, *profile, job.cluster.accelerator.name);
  job.stack.keeps_memory = !options.stack.empty();  // unasked the plan is for the trainer
  if (!options.stack.empty() && !is_fitted_on(job.cluster.accelerator.name, *profile)) {
    warnings.push_back(concat(kStackOption, ": no run of ", profile->name, " on ",
                              job.cluster.accelerator.name,
                              " is known; its numbers are those of `any` there, times what it "
                              "deviates by where runs are known"));
  }
  take_curves(configs, job.cluster);
}

void print_stacks() {
  std::cout << kOwnStack
            << ": the trainer of this project; default on CPUs, and where no other is\n";
  for (const StackProfile& stack : read_stacks(configs_folder() / "stacks")) {
    std::string text = concat(stack.name, ": ", stack.source);
    std::string separator = "; fitted on ";
    for (const auto& [accelerator, numbers] : stack.accelerators) {
      text += separator + accelerator;
      separator = ", ";
    }
    separator = "; default on ";
    for (const std::string& accelerator : stack.default_for) {
      text += separator + accelerator;
      separator = ", ";
    }
    std::cout << wrap(text, kTextColumns, "    ");
  }
}

}  // namespace argosy
