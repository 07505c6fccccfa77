// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/export.h"

#include "planner/spec/check.h"

namespace argosy {

ExportFormat export_format_from_string(std::string_view text, std::string_view where) {
  if (text == "megatron") return ExportFormat::megatron;
  if (text == "deepspeed") return ExportFormat::deepspeed;
  if (text == "torchtitan") return ExportFormat::torchtitan;
  throw ConfigError(concat(where, ": '", text, "'; valid: megatron, deepspeed, torchtitan"));
}

std::string export_plan(const Plan& plan, ExportFormat format, double tokens,
                        const HiddenTraffic& hidden) {
  switch (format) {
    case ExportFormat::megatron:
      return megatron_flags(plan, tokens, hidden);
    case ExportFormat::deepspeed:
      return deepspeed_json(plan);
    case ExportFormat::torchtitan:
      return torchtitan_toml(plan);
  }
  return "";
}

}  // namespace argosy
