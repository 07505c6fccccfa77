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
#include "planner/cost/settle.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/step_pass.h"
#include "planner/cost/totals.h"
#include "planner/spec/check.h"
#include "planner/spec/cpu_scratch.h"
#include "planner/spec/gpu_scratch.h"
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
      for (Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
        for (int zero_stage : {0, 1, 2, 3}) {
          for (ScheduleKind schedule : {ScheduleKind::one_f_one_b, ScheduleKind::gpipe}) {
            Candidate c;
            c.mesh = point.mesh;
            c.sequence_parallel = point.sequence_parallel;
            c.micro_batch = micro_batch;
            c.recompute = recompute;
            c.zero_stage = zero_stage;
            c.schedule = schedule;
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

// Every schedule on every mesh, settled in memory that is short for some: uneven stages, some
// layers computed again.
std::vector<Candidate> settled_candidates(const Job& job, LayerCostCache& cache) {
  const SearchSpace space = search_space(job, {});
  Settler settler(job, {}, cache);
  std::vector<Candidate> result;
  for (const MeshPoint& point : space.meshes) {
    for (int64_t micro_batch : point.micro_batches) {
      if (!point.reason.empty() || !micro_batch_reason(job, point, micro_batch).empty()) continue;
      for (const ScheduleChoice& choice : space.schedules_of(point)) {
        for (const ZeroChoice& zero : point.zeros) {
          if (zero.stage >= 2 && splits_backward(choice.kind)) continue;
          Candidate c;
          c.mesh = point.mesh;
          c.mesh.zero_shard = zero.shard;
          c.zero_stage = zero.stage;
          c.sequence_parallel = point.sequence_parallel;
          c.cp_kind = point.cp_kind;
          c.micro_batch = micro_batch;
          c.schedule = choice.kind;
          c.virtual_stages = choice.virtual_stages;
          const Settled settled = settler.settle(c);
          if (settled.fits) result.push_back(settled.candidate);
        }
      }
    }
  }
  return result;
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
  // Power holds tensor cores down to 0.8 of that, and memory not at all.
  a.sustained_share = 0.8;
  EXPECT_NEAR(op_seconds({OpKind::matmul, 1'000'000'000'000, 800'000'000, 1}, a, Precision::bf16),
              2.501, 1e-9);
  EXPECT_NEAR(op_seconds({OpKind::attention, 1'000'000'000'000, 0, 3}, a, Precision::bf16),
              3 * 5.001, 1e-9);
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

TEST(Memory, EqualsTheLedgerWithUnevenStagesAndSomeLayersAgain) {
  const std::pair<ScheduleKind, int64_t> kSchedules[] = {{ScheduleKind::gpipe, 1},
                                                         {ScheduleKind::one_f_one_b, 1},
                                                         {ScheduleKind::interleaved, 2},
                                                         {ScheduleKind::zb_h1, 1},
                                                         {ScheduleKind::zb_v, 2}};
  for (SmallModel model : {SmallModel::llama, SmallModel::moe}) {
    const Job job = small_job(model, 4, 24);
    LayerCostCache cache(job);
    for (const auto& [schedule, virtual_stages] : kSchedules) {
      for (int64_t num_full : {0, 1, 2}) {
        for (int64_t num_selective : {0, 1, 2}) {
          Candidate c;
          c.mesh.pp = 2;
          c.mesh.dp = 2;
          c.schedule = schedule;
          c.virtual_stages = virtual_stages;
          c.layers_per_stage.assign(static_cast<size_t>(c.num_stages()), 1);
          c.layers_per_stage[0] = job.model.num_layers - c.num_stages() + 1;
          c.layer_recompute.assign(static_cast<size_t>(job.model.num_layers), Recompute::none);
          std::fill_n(c.layer_recompute.begin(), num_full, Recompute::full);
          std::fill_n(c.layer_recompute.begin() + num_full, num_selective, Recompute::selective);
          const Plan plan = to_plan(job, c);
          validate(plan);
          const std::vector<StageLayers> stages = stage_layers(job.model, c);
          const Schedule actions = build_schedule(plan);
          StageMemory fullest;
          for (int64_t rank = 0; rank < c.mesh.pp; ++rank) {
            const StageMemory memory =
                rank_memory(job, c, stages, rank, actions.actions[static_cast<size_t>(rank)],
                            cache.elements(c), cache.costs(c));
            const Ledger ledger = predict_ledger(plan, rank * c.mesh.stage_size());
            EXPECT_EQ(memory.bytes[0], ledger.parameter_bytes) << name_of(c) << " rank " << rank;
            EXPECT_EQ(memory.bytes[2], ledger.optimizer_bytes) << name_of(c) << " rank " << rank;
            EXPECT_EQ(memory.bytes[3], ledger.activation_peak_bytes)
                << name_of(c) << " rank " << rank << " full " << num_full << " selective "
                << num_selective;
            if (memory.total_bytes > fullest.total_bytes) fullest = memory;
          }
          EXPECT_EQ(fullest_stage(job, c, stages, cache.elements(c), cache.costs(c)).total_bytes,
                    fullest.total_bytes);
        }
      }
    }
  }
}

// Stages of odd sizes, as many micro-batches as there are, against the few that are looked at.
TEST(Activations, ShortSchedulesKeepAsMuchAsLongOnes) {
  ShortSchedules schedules;
  size_t num_dropped = 0;
  for (const ScheduleKind kind : {ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
                                  ScheduleKind::zb_h1, ScheduleKind::zb_v}) {
    for (int64_t pp : {1, 2, 3, 5}) {
      for (int64_t v : {1, 2, 3, 4}) {
        const bool is_many = kind == ScheduleKind::interleaved;
        if (is_many ? v == 1 : v != (kind == ScheduleKind::zb_v ? 2 : 1)) continue;
        std::vector<StageActivations> stages;
        for (int64_t stage = 0; stage < pp * v; ++stage) {
          stages.push_back(
              {100 + stage * 37 % 11, 30 + stage * 29 % 7, stage * 53 % 91, stage * 31 % 67});
        }
        for (int64_t m = 1; m <= 60; ++m) {
          const Schedule all =
              build_schedule(kind, static_cast<int>(pp), static_cast<int>(m), static_cast<int>(v));
          const Schedule few = short_schedule(kind, pp, m, v);
          const ShortSchedule& short_one = schedules.get(kind, pp, m, v);
          for (size_t rank = 0; rank < static_cast<size_t>(pp); ++rank) {
            EXPECT_EQ(activation_bytes(stages, short_one.orders[rank]),
                      activation_bytes(stages, all.actions[rank]))
                << to_string(kind) << " pp=" << pp << " v=" << v << " m=" << m << " rank " << rank;
            num_dropped +=
                pass_order(few.actions[rank]).passes.size() - short_one.orders[rank].passes.size();
            EXPECT_EQ(activation_bytes(stages, few.actions[rank]),
                      activation_bytes(stages, all.actions[rank]))
                << to_string(kind) << " pp=" << pp << " v=" << v << " m=" << m << " rank " << rank;
          }
        }
      }
    }
  }
  EXPECT_GT(num_dropped, 10'000u);
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

double all_seconds(const std::vector<StageTime>& times) {
  double sum_s = 0;
  for (const StageTime& time : times) {
    const StageDurations& d = time.durations;
    sum_s += d.forward_s + d.backward_s + d.backward_input_s + d.backward_weight_s +
             d.send_activation_s + d.send_gradient_s + d.reduce_s + d.optimizer_s +
             time.communication_s + time.message_s + time.step_communication_s;
  }
  return sum_s;
}

// What a timer remembers of one candidate of a mesh it takes for others: the same as of each alone,
// of the trainer and of a framework whose passes depend on ZeRO.
TEST(StageTime, ATimerOfAMeshSaysTheSame) {
  for (const bool is_own : {true, false}) {
    for (SmallModel model : kModels) {
      Job job = small_job(model, 8, 16);
      job.stack.facts.is_own = is_own;
      LayerCostCache cache(job);
      std::map<std::string, StageTimer> timers;
      size_t num_candidates = 0;
      for (Candidate c : candidates_with_cp(job)) {
        const Mesh& m = c.mesh;
        const Placements placements = place_all(m, job);
        StageTimer& timer = timers
                                .try_emplace(concat(m.tp, " ", m.pp, " ", m.dp, " ", m.cp, " ",
                                                    m.ep, " ", m.etp, " ", m.zero_shard, " ",
                                                    c.sequence_parallel, " ", to_string(c.cp_kind)),
                                             job, placements)
                                .first->second;
        const std::vector<StageLayers> stages = stage_layers(job.model, c);
        EXPECT_EQ(
            all_seconds(timer.times(c, stages, cache.elements(c), cache.costs(c))),
            all_seconds(stage_times(job, c, stages, cache.elements(c), cache.costs(c), placements)))
            << name_of(c);
        ++num_candidates;
      }
      EXPECT_GT(num_candidates, 5 * timers.size());
    }
  }
}

// Copies and sums take memory bandwidth and multiprocessors from the products beside them: the
// shorter of both slows the longer.
TEST(StageTime, TrafficSlowsWhatItRunsBeside) {
  EXPECT_DOUBLE_EQ(beside(10, 4, false), 14);
  EXPECT_GT(beside(10, 4, true), 10);
  EXPECT_LT(beside(10, 4, true), 14);
  EXPECT_DOUBLE_EQ(beside(10, 4, true), beside(4, 10, true));
  EXPECT_GT(beside(10, 6, true), beside(10, 4, true));
  EXPECT_DOUBLE_EQ(beside(10, 0, true), 10);
}

// 0.4% for each doubling of the nodes, in every second of the stages.
TEST(StageTime, StepsWaitForTheSlowestNode) {
  Job job = small_job(SmallModel::llama, 8, 8);
  job.cluster.devices_per_node = 8;
  EXPECT_DOUBLE_EQ(straggler_factor(job), 1);
  job.cluster.devices_per_node = 1;
  EXPECT_NEAR(straggler_factor(job), 1 + 3 * 0.004, 1e-12);
  job.cluster.num_devices = 1024;
  EXPECT_NEAR(straggler_factor(job), 1 + 10 * 0.004, 1e-12);
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

TEST(StageTime, TheBoundIsBelowEverySimulationOfEverySchedule) {
  std::map<ScheduleKind, double> tightest;
  for (SmallModel model : kModels) {
    for (int64_t usable_bytes : {int64_t{1} << 40, int64_t{5'000'000}}) {
      const Job job = small_job(model, 12, 24, usable_bytes);
      LayerCostCache cache(job);
      int64_t num_mixed = 0;
      for (const Candidate& c : settled_candidates(job, cache)) {
        const std::vector<StageTime> times =
            stage_times(job, c, stage_layers(job.model, c), cache.elements(c), cache.costs(c),
                        place_all(c.mesh, job));
        const double step_s =
            simulated_step_s(build_schedule(to_plan(job, c)), durations_of(times));
        const double bound =
            step_bound_s(times, c.schedule, num_microbatches(job, c), c.virtual_stages);
        ASSERT_LE(bound, step_s * (1 + 1e-9)) << name_of(c) << " v=" << c.virtual_stages;
        EXPECT_GT(bound, 0.5 * step_s) << name_of(c) << " v=" << c.virtual_stages;
        tightest[c.schedule] = std::max(tightest[c.schedule], bound / step_s);
        num_mixed += c.layer_recompute.empty() ? 0 : 1;
      }
      if (usable_bytes < 6'000'000 && model == SmallModel::llama) {
        EXPECT_GT(num_mixed, 10);
      }
    }
  }
  for (const auto& [kind, ratio] : tightest) EXPECT_GT(ratio, 0.99) << to_string(kind);
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

// On a GPU both hold multiprocessors: the ring of a node 16 channels of NCCL, messages to another
// node two, of 132.
TEST(StageTime, MessagesBesideComputeSlowIt) {
  Job job = small_job(SmallModel::llama, 8, 32);
  Candidate c;
  c.mesh.pp = 2;
  c.mesh.dp = 4;
  const auto times_with = [&](int64_t num_multiprocessors) {
    job.cluster.accelerator.num_multiprocessors = num_multiprocessors;
    LayerCostCache cache(job);
    return stage_times(job, c, stage_layers(job.model, 2), cache.elements(c), cache.costs(c),
                       place_all(c.mesh, job));
  };
  const StageTime alone = times_with(0)[0], slowed = times_with(132)[0];
  const double message_s = alone.durations.send_activation_s;
  ASSERT_GT(message_s, 0);
  EXPECT_EQ(slowed.durations.send_activation_s, message_s);
  EXPECT_EQ(alone.message_s, 0);
  // What goes out in forward comes back in backward; both are 2 / 132 of compute's time.
  EXPECT_NEAR(slowed.durations.forward_s - alone.durations.forward_s, message_s * 2 / 132, 1e-12);
  EXPECT_NEAR(slowed.durations.backward_s - alone.durations.backward_s, message_s * 2 / 132, 1e-12);
  EXPECT_NEAR(slowed.message_s, message_s * 4 / 132, 1e-12);
  job.stack.facts.is_slowed_by_traffic = false;
  EXPECT_EQ(times_with(132)[0].durations.forward_s, alone.durations.forward_s);

  job.stack.facts.is_slowed_by_traffic = true;
  job.seq_len = 16384;
  c.mesh = {};
  c.mesh.cp = 2;
  job.cluster.num_devices = 2;
  const auto ring_s = [&](int64_t num_multiprocessors) {
    job.cluster.accelerator.num_multiprocessors = num_multiprocessors;
    LayerCostCache cache(job);
    return stage_times(job, c, stage_layers(job.model, 1), cache.elements(c), cache.costs(c),
                       place_all(c.mesh, job))[0]
        .communication_s;
  };
  EXPECT_EQ(ring_s(0), 0);
  EXPECT_GT(ring_s(132), 0);
  EXPECT_NEAR(ring_s(66), 2 * ring_s(132), 1e-12);
}

// The trainer reduces a layer's gradients beside the backward pass of those that follow, and with
// ZeRO 3 gathers weights a layer ahead: on GPUs, which copy beside compute. The last bucket waits,
// and what is hidden slows what it runs beside.
TEST(StageTime, GpusHideGradientsBehindBackward) {
  Job job = small_job(SmallModel::llama, 4, 16);
  Candidate c;
  c.mesh.dp = 4;
  const auto times = [&] {
    LayerCostCache cache(job);
    return stage_times(job, c, stage_layers(job.model, 1), cache.elements(c), cache.costs(c),
                       place_all(c.mesh, job))[0]
        .durations;
  };
  const auto traffic_s = [&] {
    const StageDurations d = times();
    return d.reduce_s + d.optimizer_s;
  };
  for (const int zero : {0, 1, 2, 3}) {
    SCOPED_TRACE(zero);
    c.zero_stage = zero;
    job.cluster.device = Device::cpu;
    const StageDurations cpu = times();
    job.cluster.device = Device::cuda;
    const StageDurations gpu = times();
    EXPECT_EQ(gpu.backward_s, cpu.backward_s);
    EXPECT_LT(gpu.reduce_s, cpu.reduce_s);
    EXPECT_GE(gpu.reduce_s, 0.15 * std::min(cpu.reduce_s, gpu.backward_s));
    if (zero < 3) {
      EXPECT_EQ(gpu.optimizer_s, cpu.optimizer_s);
    } else {
      EXPECT_LT(gpu.optimizer_s, cpu.optimizer_s);
    }
    // Links that are far too slow: compute hides no more than there is of it.
    std::vector<LinkTier> tiers = job.cluster.tiers;
    for (LinkTier& tier : job.cluster.tiers) tier.bytes_per_s /= 1e4;
    const double gpu_s = traffic_s();
    job.cluster.device = Device::cpu;
    EXPECT_GT(gpu_s, 0.9 * traffic_s());
    EXPECT_LT(gpu_s, traffic_s());
    job.cluster.tiers = tiers;
  }
}

// However long the backward pass is.
TEST(StageTime, TheLastBucketOfGradientsHasNothingBesideIt) {
  Job job = small_job(SmallModel::llama, 4, 16);
  job.model.vocab_size = 20000;  // so that one bucket is a large part
  job.cluster.accelerator.bf16_flops_per_s /= 1e9;
  for (LinkTier& tier : job.cluster.tiers) tier.bytes_per_s /= 1e4;  // no latency to speak of
  Candidate c;
  c.mesh.dp = 4;
  const std::vector<StageLayers> layers = stage_layers(job.model, 1);
  const auto reduce_s = [&](Device device) {
    job.cluster.device = device;
    LayerCostCache cache(job);
    return stage_times(job, c, layers, cache.elements(c), cache.costs(c), place_all(c.mesh, job))[0]
        .durations.reduce_s;
  };
  LayerCostCache cache(job);
  const Pass pass =
      step_pass(job, c, stage_buckets(layers[0], cache.elements(c), /*is_copy=*/false, false));
  double largest_bytes = 0, all_bytes = 0;
  for (const CollectiveWork& work : pass.collectives) {
    largest_bytes = std::max(largest_bytes, static_cast<double>(work.bytes));
    all_bytes += static_cast<double>(work.bytes * work.count);
  }
  ASSERT_GT(largest_bytes / all_bytes, 0.3);
  EXPECT_NEAR(reduce_s(Device::cuda) / reduce_s(Device::cpu), largest_bytes / all_bytes, 0.01);
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

// What CPU kernels pack follows from the cores of a rank: four devices a node, one rank or four.
TEST(Memory, WorkspaceOfCpusHasWhatKernelsPack) {
  for (const int64_t ranks : {1, 4}) {
    Job job = small_job(SmallModel::llama, ranks, 32);
    Candidate candidate;
    candidate.mesh.dp = ranks;
    const auto planned = [&](Device device) {
      job.cluster.device = device;
      LayerCostCache cache(job);
      const StageMemory memory =
          fullest_stage(job, candidate, stage_layers(job.model, candidate.num_stages()),
                        cache.elements(candidate), cache.costs(candidate));
      return memory.bytes[static_cast<size_t>(MemoryCategory::workspace)];
    };
    int64_t most_bytes = 0, without_bytes = 0;
    const Plan plan = to_plan(job, candidate);
    for (const LayerWork& work : stage_work(plan, 0)) {
      without_bytes = std::max(without_bytes, work.workspace_bytes);
      most_bytes = std::max(most_bytes,
                            work.workspace_bytes + cpu_scratch(plan, work, 4 / ranks).most_bytes());
    }
    job.stack.facts.is_own = false;
    EXPECT_EQ(planned(Device::cuda), without_bytes);
    job.stack.facts.is_own = true;
    EXPECT_EQ(planned(Device::cpu), most_bytes);
    EXPECT_GE(most_bytes - without_bytes, kPackedRowsBytes);
  }
}

// What our trainer's attention holds on a GPU, in 16 bits.
TEST(Memory, WorkspaceOfGpusHasGradientsInOrder) {
  Job job = small_job(SmallModel::llama, 1, 8);
  job.cluster.device = Device::cuda;
  job.precision = Precision::bf16;
  job.seq_len = 256;
  Candidate candidate;
  candidate.micro_batch = 2;
  LayerCostCache cache(job);
  const StageMemory memory =
      fullest_stage(job, candidate, stage_layers(job.model, candidate.num_stages()),
                    cache.elements(candidate), cache.costs(candidate));
  int64_t most_bytes = 0, without_bytes = 0;
  const Plan plan = to_plan(job, candidate);
  for (const LayerWork& work : stage_work(plan, 0)) {
    const int64_t ordered =
        ordered_attention_bytes(plan, work, job.cluster.accelerator.memory_bytes);
    without_bytes = std::max(without_bytes, work.workspace_bytes);
    most_bytes = std::max(most_bytes, work.workspace_bytes + ordered);
  }
  EXPECT_EQ(memory.bytes[static_cast<size_t>(MemoryCategory::workspace)], most_bytes);
  EXPECT_GT(most_bytes, without_bytes);
}

}  // namespace
}  // namespace argosy
