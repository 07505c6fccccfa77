// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Predictions against steps that others measured and published.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "planner/cost/evaluate.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

struct PublishedRun {
  std::string name, recompute;
  int64_t layers = 0, hidden = 0, heads = 0;
  int64_t tp = 0, pp = 0, interleave = 0, dp = 0, micro_batch = 0, global_batch = 0;
  double step_s = 0;
};

std::vector<PublishedRun> read_runs() {
  std::ifstream file(ARGOSY_SOURCE_DIR "/tests/golden/published_a100.csv");
  std::vector<PublishedRun> runs;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#') || line.starts_with("id,")) continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream cells(line);
    PublishedRun r;
    cells >> r.name >> r.recompute >> r.layers >> r.hidden >> r.heads >> r.tp >> r.pp >>
        r.interleave >> r.dp >> r.micro_batch >> r.global_batch >> r.step_s;
    runs.push_back(r);
  }
  return runs;
}

Job job_of(const PublishedRun& run) {
  Job job;
  const std::string config =
      concat(R"({"model_type":"gpt2","vocab_size":51200,"n_embd":)", run.hidden, R"(,"n_layer":)",
             run.layers, R"(,"n_head":)", run.heads,
             R"(,"n_positions":2048,"activation_function":"gelu_new"})");
  job.model = parse_model(config, run.name, run.name).model;
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/a100-25k.json").cluster;
  job.cluster.num_devices = run.tp * run.pp * run.dp;
  job.seq_len = 2048;
  job.global_batch = run.global_batch;
  return job;
}

// The plan of this version has one chunk per stage: an interleaved schedule of v chunks shortens
// ramp and drain of the pipeline to 1/v (arXiv:2104.04473 section 2.2.2).
double interleaved_step_s(const Prediction& p, const PublishedRun& run) {
  const StageDurations& d = p.stages.front();
  const double ramp_s = static_cast<double>(run.pp - 1) * (d.forward_s + d.backward_s);
  return p.step_s - ramp_s * (1.0 - 1.0 / static_cast<double>(run.interleave));
}

// These runs did not fuse attention. What our predictions for fused attention leave out, per
// micro-batch and layer: the causal half of the products that need not be computed, and the scores
// in memory, s^2 per head in fp16: written once, softmax reads and writes, dropout reads and writes
// them and its mask of a byte, one read for the product with V: 6.5 passes of 2 bytes; twice,
// because both modes run this part again; backward 8 passes.
double unfused_attention_s(const Job& job, const PublishedRun& run) {
  constexpr double kPasses = 6.5 + 6.5 + 8;
  const Accelerator& a = job.cluster.accelerator;
  const double scores = static_cast<double>(run.micro_batch * run.heads / run.tp) * 2048.0 * 2048.0;
  const double bytes = 2 * scores * kPasses;
  // Forward, forward again, backward: 4 + 4 + 8 FLOPs per score and element of the head, half of
  // which are above the diagonal, which recompute=none counted once less.
  const double head_dim = static_cast<double>(run.hidden) / static_cast<double>(run.heads);
  const double flops = (run.recompute == "full" ? 8.0 : 8.0 + 2.0) * scores * head_dim;
  return bytes / (a.memory_bytes_per_s * efficiency_at(a.memory_efficiency, bytes / kPasses)) +
         flops / (a.bf16_flops_per_s * efficiency_at(a.attention_efficiency, flops));
}

double predicted_step_s(const PublishedRun& run) {
  const Job job = job_of(run);
  Candidate candidate;
  candidate.mesh.tp = run.tp;
  candidate.mesh.pp = run.pp;
  candidate.mesh.dp = run.dp;
  candidate.micro_batch = run.micro_batch;
  candidate.sequence_parallel = run.recompute == "selective";
  candidate.recompute = run.recompute == "full" ? Recompute::full : Recompute::none;
  LayerCostCache cache(job);
  const Verdict verdict = evaluate(job, candidate, cache);
  EXPECT_TRUE(verdict.feasible) << run.name << ": " << verdict.reason;
  if (!verdict.feasible) return 0;
  const double passes = static_cast<double>(verdict.plan.num_microbatches()) +
                        static_cast<double>(run.pp - 1) / static_cast<double>(run.interleave);
  const double layers = static_cast<double>(run.layers) / static_cast<double>(run.pp);
  return interleaved_step_s(verdict.plan.predicted, run) +
         passes * layers * unfused_attention_s(job, run);
}

TEST(Published, MegatronStepsOnA100) {
  const std::vector<PublishedRun> runs = read_runs();
  ASSERT_EQ(runs.size(), 11u);
  double sum = 0;
  for (const PublishedRun& run : runs) {
    const double predicted_s = predicted_step_s(run), error = predicted_s / run.step_s - 1;
    std::printf("%-18s %-10s measured %6.2f s, predicted %6.2f s, error %+5.1f%%\n",
                run.name.c_str(), run.recompute.c_str(), run.step_s, predicted_s, 100 * error);
    EXPECT_LT(std::abs(error), 0.16) << run.name;
    sum += std::abs(error);
  }
  EXPECT_LT(sum / static_cast<double>(runs.size()), 0.10) << "mean absolute error";
}

}  // namespace
}  // namespace argosy
