// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/planner/calibrate/synthetic_run.h"

#include "planner/calibrate/predicted_work.h"
#include "planner/cost/compute.h"
#include "planner/cost/evaluate.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

ClusterSpec small_cluster() {
  return read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/local-cpu.json").cluster;
}

Plan demo_plan(int64_t num_ranks, int64_t ep) {
  Job job;
  job.model = read_model(ARGOSY_SOURCE_DIR "/configs/models/demo-moe.json").model;
  job.cluster = with_devices(small_cluster(), num_ranks);
  job.seq_len = 256;
  job.global_batch = 16;
  job.precision = Precision::fp32;
  Candidate candidate;
  candidate.mesh.dp = num_ranks;
  candidate.mesh.ep = ep;
  candidate.zero_stage = num_ranks > 1 ? 1 : 0;
  candidate.micro_batch = 4;
  LayerCostCache cache(job);
  return evaluate(job, candidate, cache).plan;
}

RunRecord synthetic_run(const std::string& name, const Plan& plan, const ClusterSpec& cluster,
                        const Corrections& truth) {
  RunRecord run;
  run.name = name;
  run.plan = plan;
  run.cpu = "Test CPU";
  run.peak_flops_per_s =
      with_devices(cluster, plan.mesh.world_size()).accelerator.peak_flops_per_s(plan.precision);
  run.num_steps = 20;
  run.measured = predicted_work(plan, corrected(cluster, truth));
  return run;
}

void write_run(const std::filesystem::path& folder, const RunRecord& run, int64_t num_steps) {
  create_directories(folder);
  write_plan(run.plan, folder / "plan.json");
  const Json machine = {{"device", "cpu"},
                        {"cpu", run.cpu},
                        {"cores", 2},
                        {"ranks", run.plan.mesh.world_size()},
                        {"local_ranks", run.plan.mesh.world_size()},
                        {"threads_per_rank", run.threads_per_rank},
                        {"peak_flops_per_s", run.peak_flops_per_s},
                        {"first_step", 1}};
  write_text_file(folder / "machine.json", machine.dump());
  std::string lines;
  for (int64_t step = 1; step <= num_steps; ++step) {
    const double slow = step <= 3 ? 10 : step % 7 == 0 ? 2 : 1;
    Json collectives = Json::object();
    for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
      const double seconds = run.measured.collective_s[static_cast<size_t>(kind)];
      if (seconds > 0) {
        collectives[std::string(to_string(static_cast<CollectiveKind>(kind)))] = slow * seconds;
      }
    }
    const WorkSeconds& m = run.measured;
    const double optimizer_s = 0.1 * m.memory_s;
    const Json line = {
        {"step", step},
        {"step_s", slow * m.step_s},
        {"parts_s",
         {{"compute", slow * (m.matmul_s + m.attention_s + m.memory_s - optimizer_s)},
          {"optimizer", slow * optimizer_s}}},
        {"ops_s", {{"matmul", slow * m.matmul_s}, {"attention", slow * m.attention_s}}},
        {"collectives_s", collectives}};
    lines += line.dump() + "\n";
  }
  write_text_file(folder / "metrics.jsonl", lines);
}

}  // namespace argosy
