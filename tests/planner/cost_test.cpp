// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The cost of a candidate against the definitions of planner/spec that it abbreviates.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "planner/cost/compute.h"
#include "planner/cost/evaluate.h"
#include "planner/cost/search_space.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"
#include "planner/spec/ledger.h"
#include "planner/spec/schedule.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

constexpr SmallModel kModels[] = {SmallModel::llama, SmallModel::moe, SmallModel::mixed_moe,
                                  SmallModel::tied_gpt2};

// All candidates of a small job that validate() accepts.
std::vector<Candidate> candidates_of(const Job& job, const Fixed& fixed = {}) {
  const SearchSpace space = search_space(job, fixed);
  std::vector<Candidate> result;
  for (const MeshPoint& point : space.meshes) {
    for (int64_t micro_batch : point.micro_batches) {
      if (!point.reason.empty() || !micro_batch_reason(job, point, micro_batch).empty()) continue;
      for (Recompute recompute : space.recomputes) {
        // The search does not try ZeRO 2 and 3; --fix may ask for them.
        for (int zero_stage : {0, 1, 2, 3}) {
          for (ScheduleKind schedule : space.schedules) {
            Candidate c{point.mesh, point.sequence_parallel, micro_batch, recompute, zero_stage,
                        schedule};
            c.cp_kind = point.cp_kind;
            result.push_back(c);
          }
        }
      }
    }
  }
  return result;
}

std::string name_of(const Candidate& c) {
  return concat(to_string(c.mesh), " micro_batch=", c.micro_batch, " zero=", c.zero_stage, " ",
                to_string(c.schedule), " ", to_string(c.recompute), " ", to_string(c.cp_kind));
}

// Every candidate without context parallelism, and those of both kinds with two ranks a sequence.
std::vector<Candidate> candidates_with_cp(const Job& job) {
  std::vector<Candidate> all = candidates_of(job);
  const std::vector<Candidate> split = candidates_of(job, parse_fixed("cp=2"));
  all.insert(all.end(), split.begin(), split.end());
  return all;
}

TEST(Compute, RooflineByHand) {
  Accelerator a;
  a.bf16_flops_per_s = 1e12;
  a.memory_bytes_per_s = 1e9;
  a.op_overhead_s = 1e-3;
  a.matmul_efficiency = {{1, 0.5}};
  a.attention_efficiency = {{1, 0.25}};
  a.memory_efficiency = {{1, 0.8}};
  // 1e12 FLOP at half of 1e12: 2 s; 8e8 bytes at 0.8e9: 1 s, hidden.
  EXPECT_NEAR(op_seconds({OpKind::matmul, 1'000'000'000'000, 800'000'000, 1}, a, Precision::bf16),
              2.001, 1e-9);
  EXPECT_NEAR(op_seconds({OpKind::attention, 1'000'000'000'000, 0, 3}, a, Precision::bf16),
              3 * 4.001, 1e-9);
  EXPECT_NEAR(op_seconds({OpKind::memory, 0, 1'600'000'000, 1}, a, Precision::bf16), 2.001, 1e-9);
}

TEST(Memory, EqualsTheLedger) {
  for (SmallModel model : kModels) {
    const Job job = small_job(model, 8, 16);
    LayerCostCache cache(job);
    int64_t compared = 0;
    for (const Candidate& c : candidates_with_cp(job)) {
      if (++compared % 29 != 0) continue;  // a sample: thousands of ledgers take their time
      const Plan plan = to_plan(job, c);
      const std::vector<StageLayers> stages = stage_layers(job.model, c.mesh.pp);
      for (int64_t stage = 0; stage < c.mesh.pp; ++stage) {
        const StageMemory memory =
            stage_memory(job, c, stages, stage, cache.elements(c), cache.costs(c));
        const Ledger ledger = predict_ledger(plan, stage * c.mesh.stage_size());
        EXPECT_EQ(memory.bytes[0], ledger.parameter_bytes) << name_of(c) << " stage " << stage;
        if (model == SmallModel::mixed_moe && c.zero_stage >= 2) {
          EXPECT_GE(memory.bytes[1], ledger.gradient_bytes) << name_of(c) << " stage " << stage;
        } else {
          EXPECT_EQ(memory.bytes[1], ledger.gradient_bytes) << name_of(c) << " stage " << stage;
        }
        EXPECT_EQ(memory.bytes[2], ledger.optimizer_bytes) << name_of(c) << " stage " << stage;
        if (model == SmallModel::mixed_moe && c.recompute == Recompute::full) {
          // Which kind of layer runs again first is not known here: an upper bound.
          EXPECT_GE(memory.bytes[3], ledger.activation_peak_bytes) << name_of(c);
        } else {
          EXPECT_EQ(memory.bytes[3], ledger.activation_peak_bytes) << name_of(c);
        }
      }
    }
    EXPECT_GT(compared, 100);
  }
}

TEST(Memory, EqualsTheLedgerOfEverySchedule) {
  const std::pair<ScheduleKind, int64_t> kSchedules[] = {
      {ScheduleKind::interleaved, 2}, {ScheduleKind::zb_h1, 1}, {ScheduleKind::zb_v, 2}};
  for (SmallModel model : {SmallModel::llama, SmallModel::moe, SmallModel::tied_gpt2}) {
    const Job job = small_job(model, 4, 12);
    LayerCostCache cache(job);
    for (const auto& [schedule, virtual_stages] : kSchedules) {
      for (Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
        Candidate c;
        c.mesh.pp = 2;
        c.mesh.dp = 2;
        c.recompute = recompute;
        c.schedule = schedule;
        c.virtual_stages = virtual_stages;
        const Plan plan = to_plan(job, c);
        const Schedule actions = build_schedule(plan);
        for (int64_t rank = 0; rank < c.mesh.pp; ++rank) {
          const StageMemory memory = rank_memory(job, c, stage_layers(job.model, c.num_stages()),
                                                 rank, actions.actions[static_cast<size_t>(rank)],
                                                 cache.elements(c), cache.costs(c));
          const Ledger ledger = predict_ledger(plan, rank * c.mesh.stage_size());
          EXPECT_EQ(memory.bytes[0], ledger.parameter_bytes) << name_of(c) << " rank " << rank;
          EXPECT_EQ(memory.bytes[1], ledger.gradient_bytes) << name_of(c) << " rank " << rank;
          EXPECT_EQ(memory.bytes[2], ledger.optimizer_bytes) << name_of(c) << " rank " << rank;
          EXPECT_EQ(memory.bytes[3], ledger.activation_peak_bytes)
              << name_of(c) << " rank " << rank;
        }
      }
    }
  }
}

TEST(Memory, LoraKeepsStateOfAdaptersAlone) {
  Job job = small_job(SmallModel::llama, 4, 8);
  job.task = Task::lora;
  job.lora = {4, 8.0, {"q_proj", "v_proj"}};
  LayerCostCache cache(job);
  Candidate c;
  c.mesh.pp = 2;
  c.mesh.dp = 2;
  c.zero_stage = 1;
  const std::vector<StageLayers> stages = stage_layers(job.model, 2);
  for (int64_t stage : {0, 1}) {
    const StageMemory memory =
        stage_memory(job, c, stages, stage, cache.elements(c), cache.costs(c));
    const Ledger ledger = predict_ledger(to_plan(job, c), stage * c.mesh.stage_size());
    EXPECT_EQ(memory.bytes[0], ledger.parameter_bytes);
    EXPECT_EQ(memory.bytes[1], ledger.gradient_bytes);
    EXPECT_EQ(memory.bytes[2], ledger.optimizer_bytes);
    EXPECT_EQ(memory.bytes[3], ledger.activation_peak_bytes);
    EXPECT_LT(memory.bytes[1], memory.bytes[0] / 4);
  }
}

TEST(Memory, InFlightIsWhatTheSchedulesKeep) {
  for (ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b}) {
    for (int stages = 1; stages <= 5; ++stages) {
      for (int microbatches = 1; microbatches <= 7; ++microbatches) {
        const std::vector<int> expected = max_in_flight(build_schedule(kind, stages, microbatches));
        for (int stage = 0; stage < stages; ++stage) {
          EXPECT_EQ(in_flight(kind, stages, microbatches, stage),
                    expected[static_cast<size_t>(stage)]);
        }
      }
    }
  }
}

// Collectives of groups of one rank cost nothing and need not be left out.
Pass without_lone_groups(Pass pass, const Mesh& mesh, int64_t kv_heads) {
  std::erase_if(pass.collectives, [&](const CollectiveWork& work) {
    const int64_t size = work.axis == Axis::kv_replica ? std::max<int64_t>(1, mesh.tp / kv_heads)
                                                       : degree(mesh, work.axis);
    return size == 1;
  });
  return pass;
}

std::map<CollectiveKey, CollectiveTotal> totals_of(const Pass& pass) {
  std::map<CollectiveKey, CollectiveTotal> totals;
  for (const CollectiveWork& work : pass.collectives) {
    CollectiveTotal& total = totals[{work.kind, work.axis}];
    total.count += work.count;
    total.bytes += work.count * work.bytes;
  }
  return totals;
}

TEST(StageTime, StepPassEqualsStepWork) {
  for (SmallModel model : kModels) {
    const Job job = small_job(model, 8, 8);
    LayerCostCache cache(job);
    for (const Candidate& c : candidates_with_cp(job)) {
      if (c.micro_batch > 1 || c.schedule == ScheduleKind::gpipe) continue;
      const std::vector<StageLayers> stages = stage_layers(job.model, c.mesh.pp);
      const Plan plan = to_plan(job, c);
      for (int64_t stage = 0; stage < c.mesh.pp; ++stage) {
        const bool is_end = stage == 0 || stage == c.mesh.pp - 1;
        const bool is_tied = job.model.tied_head && c.mesh.pp > 1 && is_end;
        const std::vector<StageBucket> buckets = stage_buckets(
            stages[static_cast<size_t>(stage)], cache.elements(c), is_tied && stage > 0, is_tied);
        const Pass pass =
            without_lone_groups(step_pass(job, c, buckets), c.mesh, job.model.num_kv_heads);
        const Pass expected = step_work(plan, stage * c.mesh.stage_size());
        EXPECT_EQ(totals_of(pass), totals_of(expected)) << name_of(c);
        int64_t bytes = 0, expected_bytes = 0;
        for (const OpWork& op : pass.ops) bytes += op.bytes * op.count;
        for (const OpWork& op : expected.ops) expected_bytes += op.bytes * op.count;
        EXPECT_EQ(bytes, expected_bytes) << name_of(c);
      }
    }
  }
}

// Products, and messages that nothing hides: those of a ring travel while attention works on all
// blocks of keys but the last.
double forward_seconds(const Job& job, const Mesh& mesh, const LayerWork& work) {
  double seconds = compute_seconds(work.forward, job.cluster.accelerator, job.precision),
         ring_s = 0;
  for (const CollectiveWork& collective : work.forward.collectives) {
    if (collective.kind == CollectiveKind::recv) continue;
    const double s = collective_seconds(
        collective.kind, collective.bytes,
        place(mesh, collective.axis, job.model.num_kv_heads, job.cluster), job.cluster);
    (collective.kind == CollectiveKind::send ? ring_s : seconds) += s;
  }
  for (const OpWork& op : work.forward.ops) {
    if (op.kind != OpKind::attention) continue;
    const double share = 1 - 1 / static_cast<double>(mesh.cp);
    ring_s -= share * op_seconds(op, job.cluster.accelerator, job.precision);
  }
  return seconds + std::max(0.0, ring_s);
}

TEST(StageTime, LayersCostWhatStageWorkSays) {
  for (SmallModel model : kModels) {
    const Job job = small_job(model, 8, 8);
    LayerCostCache cache(job);
    for (const Candidate& c : candidates_with_cp(job)) {
      if (c.zero_stage > 0 || c.schedule == ScheduleKind::gpipe) continue;
      const std::vector<StageTime> times =
          stage_times(job, c, stage_layers(job.model, c.mesh.pp), cache.elements(c), cache.costs(c),
                      place_all(c.mesh, job));
      const Plan plan = to_plan(job, c);
      for (int64_t stage = 0; stage < c.mesh.pp; ++stage) {
        double forward_s = 0;
        for (const LayerWork& work : stage_work(plan, stage)) {
          forward_s += forward_seconds(job, c.mesh, work);
        }
        forward_s *= straggler_factor(job);
        EXPECT_NEAR(times[static_cast<size_t>(stage)].durations.forward_s, forward_s,
                    1e-9 * forward_s)
            << name_of(c) << " stage " << stage;
      }
    }
  }
}

TEST(StageTime, TheBoundIsBelowEverySimulation) {
  for (SmallModel model : kModels) {
    const Job job = small_job(model, 12, 24);
    LayerCostCache cache(job);
    double tightest = 0;
    for (const Candidate& c : candidates_with_cp(job)) {
      const std::vector<StageTime> times =
          stage_times(job, c, stage_layers(job.model, c.mesh.pp), cache.elements(c), cache.costs(c),
                      place_all(c.mesh, job));
      const Verdict verdict = evaluate(job, c, cache);
      ASSERT_TRUE(verdict.feasible);
      const double bound = step_bound_s(times, c.schedule, verdict.plan.num_microbatches());
      EXPECT_LE(bound, verdict.plan.predicted.step_s * (1 + 1e-9)) << name_of(c);
      tightest = std::max(tightest, bound / verdict.plan.predicted.step_s);
      EXPECT_GT(bound, 0.6 * verdict.plan.predicted.step_s) << name_of(c);
    }
    EXPECT_GT(tightest, 0.999);
  }
}

// A ring over slow links costs more the slower they are, and nothing while attention hides it.
TEST(StageTime, AttentionHidesTheRing) {
  Job job = small_job(SmallModel::llama, 2, 2);
  job.seq_len = 16384;
  Candidate c;
  c.mesh.cp = 2;
  const auto communication_s = [&](double bytes_per_s) {
    for (LinkTier& tier : job.cluster.tiers) tier.bytes_per_s = bytes_per_s;
    LayerCostCache cache(job);
    return stage_times(job, c, stage_layers(job.model, 1), cache.elements(c), cache.costs(c),
                       place_all(c.mesh, job))[0]
        .communication_s;
  };
  EXPECT_EQ(communication_s(1e12), 0);
  EXPECT_GT(communication_s(1e6), 1.9 * communication_s(2e6));
  c.cp_kind = ContextParallel::ulysses;
  EXPECT_GT(communication_s(1e12), 0);
}

TEST(Evaluate, FasterMachinesAreNeverSlower) {
  const Job job = small_job(SmallModel::moe, 8, 16);
  Job faster = job;
  faster.cluster.accelerator.bf16_flops_per_s *= 2;
  faster.cluster.accelerator.memory_bytes_per_s *= 2;
  for (LinkTier& tier : faster.cluster.tiers) tier.bytes_per_s *= 2;
  LayerCostCache cache(job), faster_cache(faster);
  for (const Candidate& c : candidates_of(job)) {
    EXPECT_LE(evaluate(faster, c, faster_cache).plan.predicted.step_s,
              evaluate(job, c, cache).plan.predicted.step_s * (1 + 1e-9))
        << name_of(c);
  }
}

TEST(Evaluate, PredictionsHangTogether) {
  const Job job = small_job(SmallModel::llama, 8, 16);
  LayerCostCache cache(job);
  Candidate c;
  c.mesh.tp = 2;
  c.mesh.pp = 2;
  c.mesh.dp = 2;
  c.sequence_parallel = true;
  c.recompute = Recompute::full;
  const Plan plan = evaluate(job, c, cache).plan;
  const Prediction& p = plan.predicted;
  const double available = p.step_s * 8 * 1e12;
  EXPECT_NEAR(p.mfu, model_flops_per_step(plan) / available, 1e-12);
  EXPECT_NEAR(p.hfu, executed_flops_per_step(plan) / available, 1e-12);
  EXPECT_GT(p.hfu, p.mfu);
  EXPECT_GT(p.mfu_palm, p.mfu);
  EXPECT_NEAR(p.tokens_per_s * p.step_s, 16 * 64, 1e-6);
  EXPECT_NEAR(p.days, 1e9 / (16 * 64) * p.step_s / p.goodput / 86400, 1e-6);
  EXPECT_NEAR(p.cost_usd, p.days * 24 * 8 * 2, 1e-6 * p.cost_usd);
  EXPECT_NEAR(p.carbon_kg, p.energy_kwh * 0.4, 1e-9 * p.carbon_kg);
  EXPECT_LT(p.energy_kwh, p.days * 24 * 8 * 0.4);
  EXPECT_GT(p.energy_kwh, p.days * 24 * 8 * 0.1);
  EXPECT_NEAR(p.bubble_fraction, bubble_fraction(predicted_timeline(plan), 2), 1e-12);
}

TEST(Evaluate, OutOfMemoryNamesWhatIsMissing) {
  const Job job = small_job(SmallModel::llama, 1, 4, 1 << 20);
  LayerCostCache cache(job);
  const Verdict verdict = evaluate(job, {}, cache);
  EXPECT_FALSE(verdict.feasible);
  EXPECT_GT(verdict.missing_bytes, 0);
  EXPECT_NE(verdict.reason.find("short by"), std::string::npos) << verdict.reason;
}

}  // namespace
}  // namespace argosy
