// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs a plan for a few steps on whatever ranks `world` has and collects what must not depend on
// the layout.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"
#include "trainer/layers/context.h"
#include "trainer/parallel/pipeline.h"
#include "trainer/trainer.h"

namespace argosy {

using GlobalTensors =
    std::map<std::string, std::vector<double>>;  // name -> row-major elements of the whole tensor

struct LayoutRecord {
  std::vector<double> losses, grad_norms, aux_losses, z_losses;  // [step]
  std::vector<double> mtp_losses;                                // [step][module]
  GlobalTensors gradients;   // of the last step, as the optimizer reads them: sums, not means
  GlobalTensors parameters;  // after the last step, with what routers remember
  Ledger ledger;             // measured in the last step, this rank
  Timeline timeline;         // of the last step, this rank
  int64_t num_targets = 0;   // of the last step, of all ranks
  double dropped_share = 0;  // of the choices of the last step
};

// Collective. With LoRA the B factors start from random values: zeros would hide mistakes.
LayoutRecord run_layout(Communicator& world, DeviceContext& device, const Plan& plan,
                        const TrainerSettings& settings, int num_steps);
// The same on the CPU.
LayoutRecord run_layout(Communicator& world, const Plan& plan, const TrainerSettings& settings,
                        int num_steps);
// The same without clipping, with the other settings as they are by default; `hook` runs inside of
// every compute action of the pipeline.
LayoutRecord run_layout(Communicator& world, const Plan& plan, int num_steps,
                        const LayerSettings& settings = {}, const ComputeHook& hook = {});

// max |a-b| <= tolerance * max(max|b|, 1e-3) per tensor and tolerance relative for losses and
// norms; one line per violation.
std::vector<std::string> compare(const LayoutRecord& expected, const LayoutRecord& actual);
// The same for fp32 runs as --verify compares: 1e-3 of the largest gradient of all is the smallest
// scale of a gradient. Some are zero but for rounding.
std::vector<std::string> compare_fp32(const LayoutRecord& expected, const LayoutRecord& actual,
                                      double tolerance);

}  // namespace argosy
