// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Plans to export, and what importing them gives.
#pragma once

#include <functional>
#include <string>

#include "planner/cost/search.h"
#include "planner/exchange/import.h"

namespace argosy {

// 512 sequences a step on A100s; `model` is a name in configs/models.
Job job_of(const std::string& model, int64_t devices);

// The best plan with these decisions.
Plan plan_of(
    const std::string& model, int64_t devices, const std::string& fix,
    const std::function<void(Job&)>& change = [](Job&) {});

// The job again, with what the peer's setup says.
Plan plan_of_peer(const Job& job, const PeerRun& run);

// Every decision is the same, and so is what the planner promises.
void expect_same(const Plan& back, const Plan& plan, const std::string& what);

std::string error_of(const std::function<void()>& call);

}  // namespace argosy
