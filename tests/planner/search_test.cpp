// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "planner/cost/search_space.h"
#include "planner/cost/totals.h"
#include "planner/report/plan_text.h"
#include "planner/spec/check.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

std::string key_of(const Plan& plan) {
  return concat(to_string(plan.mesh), " ", plan.micro_batch, " ", plan.zero_stage, " ",
                to_string(plan.schedule), " ", to_string(plan.recompute.front()), " ",
                plan.sequence_parallel, " ", to_string(plan.cp_kind));
}

struct BruteForce {
  int64_t num_points = 0;
  std::vector<Plan> feasible;  // best first
};

// Does any rank hold parameters that another holds too, in its data or its experts' group?
bool has_copies(const Job& job, const Mesh& mesh) {
  return mesh.dp * mesh.cp > 1 || (job.model.has_moe() && mesh.edp() > 1);
}

// Candidates on one mesh: every micro-batch, ZeRO stage, schedule and recomputation.
void try_mesh(const Job& job, const Mesh& mesh, ContextParallel cp_kind, LayerCostCache& cache,
              BruteForce& result) {
  constexpr Recompute kRecomputes[] = {Recompute::none, Recompute::selective, Recompute::full};
  for (int64_t micro_batch = 1; micro_batch <= job.global_batch; ++micro_batch) {
    for (int rest = 0; rest < 24; ++rest) {
      Candidate c;
      c.mesh = mesh;
      c.cp_kind = cp_kind;
      c.sequence_parallel = mesh.tp > 1;
      c.micro_batch = micro_batch;
      c.zero_stage = rest % 4;
      c.schedule = rest / 4 % 2 == 0 ? ScheduleKind::one_f_one_b : ScheduleKind::gpipe;
      c.recompute = kRecomputes[rest / 8];
      if (mesh.pp == 1 && c.schedule == ScheduleKind::gpipe) continue;
      if (c.zero_stage > 0 && !has_copies(job, mesh)) continue;
      try {
        Verdict verdict = evaluate(job, c, cache);
        ++result.num_points;
        if (verdict.feasible) result.feasible.push_back(std::move(verdict.plan));
      } catch (const ConfigError&) {  // does not divide
      }
    }
  }
}

// Every combination of every number, asked one by one: validate() says what divides.
void try_meshes(const Job& job, int64_t cp, ContextParallel cp_kind, LayerCostCache& cache,
                BruteForce& result) {
  const int64_t devices = job.num_devices() / cp;
  const int64_t most_experts = std::max<int64_t>(1, job.model.moe.num_experts);
  for (int64_t tp = 1; tp <= devices; ++tp) {
    for (int64_t pp = 1; pp * tp <= devices; ++pp) {
      if (devices % (tp * pp) != 0) continue;
      for (int64_t ep = 1; ep <= most_experts; ++ep) {
        for (int64_t etp = 1; etp <= tp; ++etp) {
          if (tp % etp != 0) continue;
          Mesh mesh;
          mesh.tp = tp, mesh.pp = pp, mesh.dp = devices / tp / pp, mesh.ep = ep, mesh.etp = etp;
          mesh.cp = cp;
          try_mesh(job, mesh, cp_kind, cache, result);
        }
      }
    }
  }
}

BruteForce brute_force(const Job& job) {
  BruteForce result;
  LayerCostCache cache(job);
  for (int64_t cp = 1; cp <= job.num_devices(); ++cp) {
    if (job.num_devices() % cp != 0) continue;
    if (cp > 1 && job.seq_len < cp * kFewestTokensOfPart) continue;
    for (ContextParallel kind : {ContextParallel::ring, ContextParallel::ulysses}) {
      if (cp > 1 || kind == ContextParallel::ring) try_meshes(job, cp, kind, cache, result);
    }
  }
  std::stable_sort(
      result.feasible.begin(), result.feasible.end(),
      [](const Plan& a, const Plan& b) { return a.predicted.step_s < b.predicted.step_s; });
  return result;
}

TEST(Search, FindsWhatBruteForceFinds) {
  const struct {
    SmallModel model;
    int64_t devices, batch, usable_bytes, seq_len;
  } kCases[] = {{SmallModel::llama, 12, 24, int64_t{1} << 40, 64},
                {SmallModel::llama, 8, 16, 5'000'000, 64},
                {SmallModel::llama, 8, 2, 80'000'000, 32768},  // cp of 1, 2 and 4
                {SmallModel::moe, 8, 16, int64_t{1} << 40, 64},
                {SmallModel::moe, 8, 8, 9'000'000, 64},
                {SmallModel::moe, 8, 4, int64_t{1} << 40, 16384},
                {SmallModel::mixed_moe, 6, 12, int64_t{1} << 40, 64},
                {SmallModel::tied_gpt2, 10, 20, int64_t{1} << 40, 64}};
  for (const auto& test : kCases) {
    Job job = small_job(test.model, test.devices, test.batch, test.usable_bytes);
    job.seq_len = test.seq_len;
    const BruteForce expected = brute_force(job);
    ASSERT_FALSE(expected.feasible.empty());
    const SearchResult found = search(job, {}, 10, 1);
    EXPECT_EQ(found.summary.feasible, static_cast<int64_t>(expected.feasible.size()));
    ASSERT_EQ(found.plans.size(), std::min<size_t>(10, expected.feasible.size()));
    for (size_t i = 0; i < found.plans.size(); ++i) {
      EXPECT_NEAR(found.plans[i].predicted.step_s, expected.feasible[i].predicted.step_s,
                  1e-6 * expected.feasible[i].predicted.step_s)
          << i << ": " << key_of(found.plans[i]) << " or " << key_of(expected.feasible[i]);
    }
  }
}

TEST(Search, EveryCandidateIsAccountedFor) {
  for (SmallModel model : {SmallModel::llama, SmallModel::moe}) {
    const Job job = small_job(model, 12, 24, 7'000'000);
    const SearchSummary summary = search(job, {}, 3, 1).summary;
    int64_t rejected = 0;
    for (const Rejection& rejection : summary.rejected) {
      rejected += rejection.count;
      EXPECT_FALSE(rejection.nearest.empty()) << rejection.reason;
    }
    EXPECT_EQ(summary.feasible + rejected, summary.candidates);
    EXPECT_LE(summary.evaluated, summary.feasible);
    EXPECT_GT(summary.evaluated, 0);
  }
}

// The table must not show one plan twice.
TEST(Search, ZeroStagesThatShardNothingAreDismissed) {
  const Job job = small_job(SmallModel::llama, 4, 8);
  const SearchResult found = search(job, parse_fixed("tp=2,pp=2"), 100, 1);
  ASSERT_FALSE(found.plans.empty());
  for (const Plan& plan : found.plans) EXPECT_EQ(plan.zero_stage, 0);
  const SearchSummary& summary = found.summary;
  const auto dismissed = std::find_if(
      summary.rejected.begin(), summary.rejected.end(),
      [](const Rejection& r) { return r.reason.find("nothing to shard") != std::string::npos; });
  ASSERT_NE(dismissed, summary.rejected.end());
  EXPECT_EQ(dismissed->count, summary.candidates / 4 * 3);  // ZeRO 1, 2 and 3
  EXPECT_EQ(summary.feasible + dismissed->count, summary.candidates);

  LayerCostCache cache(job);  // they are the same plan indeed
  Candidate c;
  c.mesh.tp = c.mesh.pp = 2;
  c.sequence_parallel = true;
  const Plan without = evaluate(job, c, cache).plan;
  c.zero_stage = 1;
  const Plan with = evaluate(job, c, cache).plan;
  EXPECT_EQ(with.predicted.step_s, without.predicted.step_s);
  EXPECT_EQ(with.predicted.peak_bytes, without.predicted.peak_bytes);

  // What is fixed is tried; experts may have copies where the attention has none.
  EXPECT_EQ(search(job, parse_fixed("tp=2,pp=2,zero=1"), 1, 1).plans.at(0).zero_stage, 1);
  const Job moe = small_job(SmallModel::moe, 2, 8);
  bool has_sharded_experts = false;
  for (const Plan& plan : search(moe, parse_fixed("tp=2,ep=1,etp=1"), 100, 1).plans)
    has_sharded_experts |= plan.zero_stage == 1;
  EXPECT_TRUE(has_sharded_experts);
}

TEST(Search, DoesNotDependOnThreads) {
  const Job job = small_job(SmallModel::moe, 24, 48);
  const auto text = [&](int threads) {
    SearchResult result = search(job, {}, 8, threads);
    result.summary.seconds = 0;
    return plans_json(result.plans, result.summary);
  };
  const std::string one = text(1);
  EXPECT_EQ(text(2), one);
  EXPECT_EQ(text(7), one);
}

TEST(Search, KeepsWhatIsFixed) {
  const Job job = small_job(SmallModel::moe, 8, 16);
  const SearchResult result = search(
      job, parse_fixed("tp=2,pp=2,ep=2,etp=2,zero=1,micro_batch=2,schedule=gpipe,recompute=full"),
      9, 1);
  ASSERT_EQ(result.plans.size(), 1u);
  const Plan& plan = result.plans.front();
  EXPECT_EQ(to_string(plan.mesh), "tp=2 pp=2 dp=2 cp=1 | etp=2 ep=2 edp=1");
  EXPECT_EQ(plan.zero_stage, 1);
  EXPECT_EQ(plan.micro_batch, 2);
  EXPECT_EQ(plan.schedule, ScheduleKind::gpipe);
  EXPECT_EQ(plan.recompute.front(), Recompute::full);
  EXPECT_TRUE(plan.sequence_parallel);
  EXPECT_EQ(result.summary.candidates, 1);
}

TEST(Search, SequenceParallelCanBeSwitchedOff) {
  const Job job = small_job(SmallModel::llama, 4, 8);
  for (const Plan& plan : search(job, parse_fixed("tp=4,sequence_parallel=0"), 50, 1).plans) {
    EXPECT_FALSE(plan.sequence_parallel);
  }
}

TEST(Search, NothingFits) {
  const Job job = small_job(SmallModel::llama, 4, 8, 1000);
  const SearchResult result = search(job, {}, 3, 2);
  EXPECT_TRUE(result.plans.empty());
  EXPECT_EQ(result.summary.feasible, 0);
  EXPECT_EQ(result.summary.evaluated, 0);
  const auto memory = std::find_if(result.summary.rejected.begin(), result.summary.rejected.end(),
                                   [](const Rejection& r) { return r.reason == "out of memory"; });
  ASSERT_NE(memory, result.summary.rejected.end());
  EXPECT_NE(memory->nearest.find("short by"), std::string::npos);
}

TEST(Search, CarbonPrefersTheLeastEnergy) {
  Job job = small_job(SmallModel::llama, 8, 16);
  job.objective = Objective::carbon;
  const SearchResult result = search(job, {}, 1, 1);
  for (const Plan& plan : brute_force(job).feasible) {
    EXPECT_GE(plan.predicted.carbon_kg, result.plans.front().predicted.carbon_kg * (1 - 1e-6));
  }
}

// The message of the ConfigError that a list for --fix leads to.
std::string error_of(const std::string& fix, const Job& job) {
  try {
    search(job, parse_fixed(fix), 1, 1);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Fixed, MistakesAreNamed) {
  const Job dense = small_job(SmallModel::llama, 8, 16), moe = small_job(SmallModel::moe, 8, 16);
  const std::tuple<const char*, const char*, const Job*> kCases[] = {
      {"tp=3,pp=2", "does not divide", &dense},
      {"tp=2,pp=2,dp=3", "tp*pp*dp", &dense},
      {"tp=16", "16", &dense},
      {"tp=0", "tp=0", &dense},
      {"tp=two", "tp=two", &dense},
      {"tp", "key=value", &dense},
      {"colour=3", "colour", &dense},
      {"tp=2,tp=4", "given twice", &dense},
      {"zero=1,zero_stage=0", "given twice", &dense},
      {"zero=4", "valid: 0, 1, 2, 3", &dense},
      {"zero=7", "zero=7", &dense},
      {"cp=3", "does not divide the number of devices", &dense},
      {"cp=two", "cp=two", &dense},
      {"cp=8,cp_kind=ulysses", "key/value heads", &dense},
      {"cp=2,cp_kind=star", "valid: ring, ulysses", &dense},
      {"etp=2", "etp=2, but", &dense},
      {"etp=7", "etp=7 does not divide", &moe},
      {"moe_capacity_factor=-1", "at least 0", &moe},
      {"moe_capacity_factor=1.25", "has no experts", &dense},
      {"schedule=1f1b,virtual_stages=2", "valid: 1, or schedule=interleaved", &dense},
      {"schedule=zb-v,virtual_stages=3", "valid: 2", &dense},
      {"virtual_stages=99", "99", &dense},
      {"schedule=dualpipe-v", "not supported yet", &dense},
      {"schedule=fifo", "fifo", &dense},
      {"recompute=half", "half", &dense},
      {"sequence_parallel=yes", "sequence_parallel", &dense},
      {"micro_batch=5", "16", &dense},
      {"pp=8", "layers", &dense},
      {"tp=8", "tp=8", &dense},  // 12 heads
      {"ep=2", "ep=2", &dense},
      {"ep=3", "ep=3", &moe},
      {"tp=2,sequence_parallel=0", "sequence_parallel", &moe}};
  for (const auto& [fix, expected, job] : kCases) {
    const std::string message = error_of(fix, *job);
    EXPECT_NE(message.find("--fix"), std::string::npos) << fix << ": " << message;
    EXPECT_NE(message.find(expected), std::string::npos) << fix << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

// A batch of one long sequence leaves nothing to dp: cp is found without being asked for.
TEST(Search, SplitsLongSequences) {
  Job job = small_job(SmallModel::llama, 8, 1);
  job.seq_len = 32768;
  const SearchResult found = search(job, {}, 1, 1);
  ASSERT_EQ(found.plans.size(), 1u);
  EXPECT_GT(found.plans.front().mesh.cp, 1);
  EXPECT_NE(plan_table(found.plans).find(" cp "), std::string::npos);
  job.seq_len = 2 * kFewestTokensOfPart - 4;
  EXPECT_EQ(search(job, {}, 1, 1).plans.at(0).mesh.cp, 1);
}

TEST(Fixed, ContextParallelism) {
  const Job job = small_job(SmallModel::llama, 4, 16);
  const auto best = [&](const std::string& fix) {
    return search(job, parse_fixed("tp=1,pp=1,micro_batch=1,zero=0," + fix), 1, 1).plans.at(0);
  };
  const Plan ring = best("cp=2,recompute=none");
  EXPECT_EQ(ring.mesh.cp, 2);
  EXPECT_EQ(ring.mesh.dp, 2);
  EXPECT_EQ(ring.cp_kind, ContextParallel::ring);
  EXPECT_EQ(best("cp=2,cp_kind=ulysses,recompute=none").cp_kind, ContextParallel::ulysses);
  const auto activations = [](const Plan& plan) {
    return plan.predicted.memory_bytes[static_cast<size_t>(MemoryCategory::activations)];
  };
  const Plan selective = best("cp=2,recompute=selective"), whole = best("cp=1,recompute=none");
  EXPECT_EQ(selective.recompute.front(), Recompute::selective);
  EXPECT_LT(activations(selective), activations(ring));
  EXPECT_EQ(2 * activations(ring), activations(whole));  // half of each sequence
  EXPECT_NE(plan_table({ring, whole}).find("2 ring"), std::string::npos);
  EXPECT_EQ(plan_table({whole}).find("cp"), std::string::npos);
  const Plan read = parse_plan(to_json(ring), "plan.json");
  EXPECT_EQ(read.mesh.cp, 2);
  EXPECT_EQ(read.cp_kind, ContextParallel::ring);
}

// Schedules that the search does not try are costed when they are asked for.
TEST(Fixed, SchedulesOfManyStagesAndSplitBackward) {
  const Job job = small_job(SmallModel::llama, 4, 16);
  const std::tuple<const char*, ScheduleKind, int64_t> kCases[] = {
      {"pp=2,schedule=interleaved", ScheduleKind::interleaved, 2},
      {"pp=2,virtual_stages=2,schedule=interleaved", ScheduleKind::interleaved, 2},
      {"pp=2,schedule=zb-h1", ScheduleKind::zb_h1, 1},
      {"pp=2,schedule=zb-v", ScheduleKind::zb_v, 2}};
  const double plain_s =
      search(job, parse_fixed("tp=1,pp=2,micro_batch=1,recompute=none,zero=0"), 1, 1)
          .plans.at(0)
          .predicted.step_s;
  for (const auto& [fix, schedule, virtual_stages] : kCases) {
    const std::string all = concat(fix, ",tp=1,micro_batch=1,recompute=none,zero=0");
    const SearchResult result = search(job, parse_fixed(all), 1, 1);
    ASSERT_EQ(result.plans.size(), 1u) << fix;
    const Plan& plan = result.plans[0];
    EXPECT_EQ(plan.schedule, schedule) << fix;
    EXPECT_EQ(plan.virtual_stages, virtual_stages) << fix;
    EXPECT_LT(plan.predicted.step_s, plain_s) << fix;
    EXPECT_EQ(parse_plan(to_json(plan), fix).predicted.stages[0].backward_weight_s,
              plan.predicted.stages[0].backward_weight_s);
    for (const StageDurations& d : plan.predicted.stages) {
      EXPECT_NEAR(d.backward_input_s + d.backward_weight_s, d.backward_s, 1e-12 * d.backward_s);
      EXPECT_GT(d.backward_weight_s, 0);
    }
  }
}

TEST(Fixed, WhatIsOneAlreadyMayBeSaid) {
  const Job job = small_job(SmallModel::moe, 8, 16);
  EXPECT_EQ(error_of("cp=1,etp=1,virtual_stages=1", job), "no error");
}

TEST(DefaultBatch, FollowsTheRule) {
  const Job job = small_job(SmallModel::llama, 8, 16);
  ClusterSpec cluster = job.cluster;
  cluster.device = Device::cuda;
  cluster.num_devices = 2048;
  EXPECT_EQ(default_global_batch(job.model, cluster, 2048, 1), 2048);  // 4M tokens
  EXPECT_EQ(default_global_batch(job.model, cluster, 2048, 48) % 48, 0);
  cluster.device = Device::cpu;
  cluster.num_devices = 4;
  EXPECT_EQ(default_global_batch(job.model, cluster, 256, 1), 64);
  EXPECT_EQ(default_global_batch(job.model, cluster, 1 << 20, 8), 8);
}

TEST(Divisors, Ascend) {
  EXPECT_EQ(divisors(12), (std::vector<int64_t>{1, 2, 3, 4, 6, 12}));
  EXPECT_EQ(divisors(1), (std::vector<int64_t>{1}));
  EXPECT_EQ(divisors(49), (std::vector<int64_t>{1, 7, 49}));
}

}  // namespace
}  // namespace argosy
