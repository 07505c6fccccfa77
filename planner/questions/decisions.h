// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A plan's decisions in the words of --fix.
#pragma once

#include <string>

#include "planner/report/search_summary.h"
#include "planner/spec/plan.h"

namespace argosy {

// "tp=2 pp=4 dp=8 ...": all that say something about this plan.
std::string decisions_text(const Plan& plan);

// Those of `plan` that differ from those of `best` and are not in `decision` ("tp=4"): what comes
// along with it. Empty: nothing.
std::string other_decisions(const std::string& decision, const Plan& plan, const Plan& best);

// Why a search found no plan: of its reasons the one of the points that came nearest to one, and
// the nearest of these. "" if it looked at nothing.
std::string why_no_plan(const SearchSummary& summary);

}  // namespace argosy
