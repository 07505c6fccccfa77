// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs argosy-plan as scripts do.
#pragma once

#include <string>

namespace argosy {

struct PlanOutput {
  int exit_code = -1;
  std::string out, err;
};

// From /, so that configurations must be found relative to the program.
// `before`: words in front of the program, as variables of its environment.
PlanOutput run_plan(const std::string& arguments, const std::string& before = "");

// A path in a folder of this test program, which is removed at its end.
std::string scratch_path(const std::string& name);

// One message, exit 2, nothing on stdout but with --json.
void expect_plan_mistake(const std::string& arguments, const std::string& named);

}  // namespace argosy
