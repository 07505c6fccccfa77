// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The model among the flags of Megatron-LM's pretrain_gpt.py (megatron/training/arguments.py).
#pragma once

#include <string>
#include <utility>

#include "planner/exchange/refuse.h"
#include "planner/spec/plan.h"

namespace argosy {

// Flags as they are written, one with its values a line.
class MegatronLines {
 public:
  template <typename... Values>
  void add(const char* flag, const Values&... values) {
    text_ += flag;
    ((text_ += concat(" ", values)), ...);
    text_ += "\n";
  }
  void add_if(bool is_set, const char* flag) {
    if (is_set) add(flag);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

// Throws ConfigError where the model has no flags.
void refuse_megatron_model(const ModelSpec& model, const Refusal& refuse);

// The model is one that is not refused. `plan` pads positions and gives experts their capacity.
void add_megatron_model(const Plan& plan, MegatronLines& flags);

}  // namespace argosy
