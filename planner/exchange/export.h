// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A plan in the words of other frameworks.
#pragma once

#include <string>
#include <string_view>

#include "planner/spec/plan.h"

namespace argosy {

enum class ExportFormat { megatron, deepspeed, torchtitan };
ExportFormat export_format_from_string(std::string_view text, std::string_view where);

// What the time of a plan takes to run beside compute: flags that only change speed, so that no
// plan has them (Megatron-LM's --overlap-grad-reduce, --overlap-param-gather and --tp-comm-overlap;
// the other formats do so by themselves).
struct HiddenTraffic {
  bool gradients = false, parameters = false, tensors = false;
};

// Every decision of the plan, and the model where the format holds it:
//   megatron    flags of pretrain_gpt.py, one or more a line
//   deepspeed   ds_config.json; the model is the caller's
//   torchtitan  train.toml of v0.2; models that it knows by name
// `tokens` of the whole run go along where the format has them (megatron); 0: nothing is said.
// Throws ConfigError naming what the format cannot say and what would do.
std::string export_plan(const Plan& plan, ExportFormat format, double tokens = 0,
                        const HiddenTraffic& hidden = {});

std::string megatron_flags(const Plan& plan, double tokens = 0, const HiddenTraffic& hidden = {});
std::string deepspeed_json(const Plan& plan);
std::string torchtitan_toml(const Plan& plan);

}  // namespace argosy
