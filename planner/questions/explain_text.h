// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --explain in words and tables.
#pragma once

#include <string>
#include <vector>

#include "planner/cost/job.h"
#include "planner/questions/price.h"
#include "planner/questions/remedies.h"
#include "planner/questions/rivals.h"
#include "planner/questions/step_parts.h"
#include "planner/report/text_table.h"

namespace argosy {

std::string step_text(const Plan& plan, const std::vector<StepPart>& parts);
// What a step that waits for the host's launches could do about it; "" where none does.
std::string host_text(const Job& job, const Plan& plan, const std::vector<StepPart>& parts);
std::string bytes_text(const Job& job, const Plan& plan);
std::string changes_text(const std::vector<ChangeEffect>& changes);
std::string rivals_text(const std::vector<Rival>& rivals);
std::string remedies_text(const std::vector<Remedy>& remedies);
std::string basis_text(const Job& job, const std::string& corrections);

// The same for pages.
TextTable changes_table(const std::vector<ChangeEffect>& changes);
TextTable rivals_table(const std::vector<Rival>& rivals);

}  // namespace argosy
