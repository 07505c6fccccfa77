// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/planner/exchange_jobs.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"

namespace argosy {

Job job_of(const std::string& model, int64_t devices) {
  Job job;
  const std::string configs = ARGOSY_SOURCE_DIR "/configs/";
  job.model = read_model(configs + "models/" + model + ".json").model;
  job.cluster = read_cluster(configs + "clusters/a100-2048.json").cluster;
  job.cluster.num_devices = devices;
  job.seq_len = 2048;
  job.global_batch = 512;
  if (model == "gpt2-124m") job.seq_len = 1024;
  return job;
}

Plan plan_of(const std::string& model, int64_t devices, const std::string& fix,
             const std::function<void(Job&)>& change) {
  Job job = job_of(model, devices);
  change(job);
  const SearchResult found = search(job, parse_fixed(fix), 1, 1);
  EXPECT_FALSE(found.plans.empty()) << model << " " << fix;
  return found.plans.at(0);  // throws where none fits
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

Plan plan_of_peer(const Job& job, const PeerRun& run) {
  Job again = job;
  if (!run.model_json.empty()) again.model = parse_model(run.model_json, "imported", "flags").model;
  if (run.seq_len > 0) again.seq_len = run.seq_len;
  again.global_batch = run.global_batch;
  again.precision = precision_from_string(run.precision, "");
  again.optimizer = optimizer_from_string(run.optimizer, "");
  const Fixed fixed = parse_fixed(run.fix);
  check_fixed(again, fixed);
  const SearchResult found = search(again, fixed, 2, 1);
  EXPECT_EQ(found.plans.size(), 1u) << run.fix;  // nothing is left to decide
  return found.plans.at(0);
}

void expect_same(const Plan& back, const Plan& plan, const std::string& what) {
  EXPECT_EQ(back.mesh, plan.mesh) << what;
  EXPECT_EQ(back.zero_stage, plan.zero_stage) << what;
  EXPECT_EQ(back.sequence_parallel, plan.sequence_parallel) << what;
  EXPECT_EQ(back.cp_kind, plan.cp_kind) << what;
  EXPECT_EQ(back.micro_batch, plan.micro_batch) << what;
  EXPECT_EQ(back.global_batch, plan.global_batch) << what;
  EXPECT_EQ(back.seq_len, plan.seq_len) << what;
  EXPECT_EQ(back.precision, plan.precision) << what;
  EXPECT_EQ(back.optimizer, plan.optimizer) << what;
  EXPECT_EQ(back.offload, plan.offload) << what;
  EXPECT_EQ(back.recompute, plan.recompute) << what;
  EXPECT_EQ(back.schedule, plan.schedule) << what;
  EXPECT_EQ(back.layers_per_stage, plan.layers_per_stage) << what;
  EXPECT_EQ(back.virtual_stages, plan.virtual_stages) << what;
  EXPECT_EQ(back.moe_capacity_factor, plan.moe_capacity_factor) << what;
  EXPECT_EQ(count_parameters(back.model).total, count_parameters(plan.model).total) << what;
  EXPECT_NEAR(back.predicted.step_s, plan.predicted.step_s, 1e-9 * plan.predicted.step_s) << what;
  EXPECT_EQ(back.predicted.peak_bytes, plan.predicted.peak_bytes) << what;
}

}  // namespace argosy
