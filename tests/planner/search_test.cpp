// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"
#include "planner/cost/totals.h"
#include "planner/report/plan_text.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

std::string key_of(const Plan& plan) {
  return concat(to_string(plan.mesh), " ", plan.mesh.zero_shard, " ", plan.micro_batch, " ",
                plan.zero_stage, " ", to_string(plan.schedule), " ", plan.virtual_stages, " ",
                recompute_word(plan), " ", plan.sequence_parallel, " ", to_string(plan.cp_kind));
}

struct BruteForce {
  int64_t num_points = 0;
  int64_t least_missing_bytes = std::numeric_limits<int64_t>::max();
  std::vector<Plan> feasible;  // best first
};

// Does any rank hold parameters that another holds too, in its data or its experts' group?
bool has_copies(const Job& job, const Mesh& mesh) {
  return mesh.dp * mesh.cp > 1 || (job.model.has_moe() && mesh.edp() > 1);
}

void try_candidate(const Job& job, Candidate c, Settler& settler, BruteForce& result) {
  if (c.mesh.pp == 1 && c.schedule != ScheduleKind::one_f_one_b) return;
  if (c.zero_stage > 0 && !has_copies(job, c.mesh)) return;
  if (c.num_stages() > job.model.num_layers) return;
  try {
    validate(to_plan(job, c));
  } catch (const ConfigError&) {  // does not divide
    return;
  }
  ++result.num_points;
  Verdict verdict = evaluate(job, settler.settle(c).candidate, settler.cache());
  if (verdict.feasible) {
    result.feasible.push_back(std::move(verdict.plan));
  } else {
    result.least_missing_bytes = std::min(result.least_missing_bytes, verdict.missing_bytes);
  }
}

// Every schedule, with every number of stages on a rank.
void try_schedules(const Job& job, Candidate c, Settler& settler, BruteForce& result) {
  for (ScheduleKind kind : {ScheduleKind::one_f_one_b, ScheduleKind::gpipe, ScheduleKind::zb_h1,
                            ScheduleKind::zb_v, ScheduleKind::interleaved}) {
    c.schedule = kind;
    for (c.virtual_stages = 1; c.virtual_stages <= job.model.num_layers; ++c.virtual_stages) {
      if (kind == ScheduleKind::interleaved && c.virtual_stages == 1) continue;  // 1f1b
      try_candidate(job, c, settler, result);
    }
  }
}

// Candidates on one mesh: every micro-batch, sequence parallelism, ZeRO stage and shard.
void try_mesh(const Job& job, const Mesh& mesh, ContextParallel cp_kind, Settler& settler,
              BruteForce& result) {
  Candidate c;
  c.cp_kind = cp_kind;
  for (int is_split = 0; is_split <= (mesh.tp > 1 ? 1 : 0); ++is_split) {
    c.sequence_parallel = is_split == 1;
    for (c.micro_batch = 1; c.micro_batch <= job.global_batch; ++c.micro_batch) {
      for (c.zero_stage = 0; c.zero_stage <= 3; ++c.zero_stage) {
        c.mesh = mesh;
        try_schedules(job, c, settler, result);
        const int64_t node = job.cluster.devices_per_node, shard = node / mesh.tp;
        const bool is_part = node % mesh.tp == 0 && shard > 1 && shard < mesh.dp * mesh.cp;
        if (!is_part || c.zero_stage == 0 || mesh.dp * mesh.cp % shard != 0) continue;
        const int64_t holders = mesh.etp * mesh.ep;
        if (node % holders != 0 && holders % node != 0) continue;
        c.mesh.zero_shard = shard;
        try_schedules(job, c, settler, result);
      }
    }
  }
}

// Every combination of every number, asked one by one: validate() says what divides.
void try_meshes(const Job& job, int64_t cp, ContextParallel cp_kind, Settler& settler,
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
          try_mesh(job, mesh, cp_kind, settler, result);
        }
      }
    }
  }
}

BruteForce brute_force(const Job& job) {
  BruteForce result;
  LayerCostCache cache(job);
  Settler settler(job, {}, cache);
  for (int64_t cp = 1; cp <= job.num_devices(); ++cp) {
    if (job.num_devices() % cp != 0) continue;
    if (cp > 1 && job.seq_len < cp * kFewestTokensOfPart) continue;
    for (ContextParallel kind : {ContextParallel::ring, ContextParallel::ulysses}) {
      if (cp > 1 || kind == ContextParallel::ring) try_meshes(job, cp, kind, settler, result);
    }
  }
  std::stable_sort(
      result.feasible.begin(), result.feasible.end(),
      [](const Plan& a, const Plan& b) { return a.predicted.step_s < b.predicted.step_s; });
  return result;
}

void expect_brute_force(const Job& job) {
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
    expect_brute_force(job);
  }
}

// The budget follows the rows of experts that are kept.
TEST(Search, FindsWhatBruteForceFindsWithinABand) {
  for (const int64_t bytes : {7'000'000, 9'000'000, 12'000'000}) {
    Job job = small_job(SmallModel::moe, 8, 8, bytes);
    job.cluster.device = Device::cuda;
    job.cluster.collectives.channels = 0;
    job.cluster.accelerator.context_bytes = 100'000;
    for (const double probability : {0.4, 0.9, 0.999}) {
      job.fit_probability = probability;
      expect_brute_force(job);
    }
  }
}

TEST(Search, FindsWhatBruteForceFindsInOtherFrameworksMemory) {
  for (const int64_t bytes : {5'000'000, 8'000'000, 12'000'000}) {
    Job job = small_job(SmallModel::llama, 8, 8, bytes);
    job.stack.facts.is_own = false;
    job.stack.facts.constant_bytes = 0;
    job.stack.keeps_memory = true;
    expect_brute_force(job);
  }
}

auto layout_of(const Plan& plan) {
  const Mesh& m = plan.mesh;
  const ContextParallel kind = m.cp > 1 ? plan.cp_kind : ContextParallel::ring;
  return std::tuple(m.tp, m.pp, m.cp, kind, m.ep, m.etp, plan.schedule);
}

// Of all plans, best first, the first of each layout; a table that is longer is filled with the
// best of the others.
TEST(Search, DistinctRowsAreTheBestOfTheirLayouts) {
  for (const SmallModel model : {SmallModel::llama, SmallModel::moe}) {
    const Job job = small_job(model, 8, 16);
    const std::vector<Plan> all = search(job, {}, 1'000'000, 1).plans;
    std::vector<const Plan*> expected;
    for (const Plan& plan : all) {
      const auto is_like = [&plan](const Plan* other) {
        return layout_of(*other) == layout_of(plan);
      };
      if (std::none_of(expected.begin(), expected.end(), is_like)) expected.push_back(&plan);
    }
    ASSERT_GT(expected.size(), 8u);
    ASSERT_LT(expected.size(), all.size());
    const std::vector<Plan> found = search(job, {}, 8, 1, Rows::distinct).plans;
    ASSERT_EQ(found.size(), 8u);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(key_of(found[i]), key_of(*expected[i])) << i;
    }
    EXPECT_EQ(key_of(found.front()), key_of(all.front()));
    const size_t top = expected.size() + 3;
    const std::vector<Plan> more =
        search(job, {}, static_cast<int64_t>(top), 1, Rows::distinct).plans;
    ASSERT_EQ(more.size(), top);
    for (const Plan* plan : expected) {
      const auto is_plan = [plan](const Plan& p) { return key_of(p) == key_of(*plan); };
      EXPECT_TRUE(std::any_of(more.begin(), more.end(), is_plan)) << key_of(*plan);
    }
    const SearchSummary whole = search(job, {}, 1'000'000, 1, Rows::distinct).summary;
    EXPECT_EQ(whole.evaluated, whole.feasible);  // each once
    for (size_t i = 1; i < more.size(); ++i) {
      EXPECT_LE(static_cast<float>(more[i - 1].predicted.step_s),
                static_cast<float>(more[i].predicted.step_s));
      EXPECT_NE(key_of(more[i - 1]), key_of(more[i]));
    }
  }
}

// The longest stage of a split, embedding and head counted.
double longest_stage_s(const Job& job, const LayerTimes& times, const std::vector<int64_t>& split) {
  Candidate c;
  c.mesh.pp = static_cast<int64_t>(split.size());
  c.layers_per_stage = split;
  double longest_s = 0;
  for (const StageTime& time : add_layers(stage_layers(job.model, c), times)) {
    longest_s = std::max(longest_s, time.durations.forward_s + time.durations.backward_s);
  }
  return longest_s;
}

// Calls visit with every way to give `layers` to the stages from `stage` on.
template <typename Visit>
void for_each_split(std::vector<int64_t>& split, size_t stage, int64_t layers, Visit visit) {
  if (stage + 1 == split.size()) {
    split[stage] = layers;
    if (layers > 0) visit(split);
    return;
  }
  for (split[stage] = 1; split[stage] < layers; ++split[stage]) {
    for_each_split(split, stage + 1, layers - split[stage], visit);
  }
}

TEST(Settle, NoSplitHasAShorterLongestStage) {
  int64_t num_uneven = 0;
  for (SmallModel model :
       {SmallModel::llama, SmallModel::moe, SmallModel::mixed_moe, SmallModel::tied_gpt2}) {
    for (int64_t vocabulary : {100, 1000, 20000}) {
      Job job = small_job(model, 1, 1);
      job.model.vocab_size = vocabulary;
      LayerCostCache cache(job);
      const Candidate c;
      const LayerTimes times =
          layer_times(job, c, cache.elements(c), cache.costs(c), place_all(c.mesh, job), true);
      for (int64_t num_stages = 1; num_stages <= job.model.num_layers; ++num_stages) {
        double shortest_s = 1e9;
        std::vector<int64_t> split(static_cast<size_t>(num_stages));
        for_each_split(split, 0, job.model.num_layers, [&](const std::vector<int64_t>& s) {
          shortest_s = std::min(shortest_s, longest_stage_s(job, times, s));
        });
        const std::vector<int64_t> found = balanced_layers(job.model, times, num_stages);
        EXPECT_NEAR(longest_stage_s(job, times, found), shortest_s, 1e-8 * shortest_s)
            << num_stages << " stages, vocabulary " << vocabulary;
        num_uneven += found != default_layers_per_stage(job.model.num_layers, num_stages);
      }
    }
  }
  EXPECT_GT(num_uneven, 5);
}

// The last stage also has the head and the modules for multi-token prediction, the first one the
// embedding: it gets fewer layers by as much as they take, and no split is better.
TEST(Settle, LayersBalanceAroundModulesForMultiTokenPrediction) {
  constexpr int64_t kStages = 3;
  std::vector<int64_t> last_layers;
  for (const int64_t modules : {0, 1, 3}) {
    Job job = small_job(SmallModel::llama, 1, 1);
    job.model.num_layers = 12;
    job.model.layer_is_moe.assign(12, false);
    job.model.num_mtp_modules = modules;
    LayerCostCache cache(job);
    const Candidate c;
    const LayerTimes times =
        layer_times(job, c, cache.elements(c), cache.costs(c), place_all(c.mesh, job), true);
    double shortest_s = 1e9;
    std::vector<int64_t> split(kStages);
    for_each_split(split, 0, 12, [&](const std::vector<int64_t>& s) {
      shortest_s = std::min(shortest_s, longest_stage_s(job, times, s));
    });
    const std::vector<int64_t> found = balanced_layers(job.model, times, kStages);
    EXPECT_NEAR(longest_stage_s(job, times, found), shortest_s, 1e-8 * shortest_s) << modules;
    last_layers.push_back(found.back());
    // The modules are in the stage's time, a block and a head each.
    const auto pass_s = [&](LayerKind kind) {
      const StageDurations& d = times[static_cast<size_t>(kind)].durations;
      return d.forward_s + d.backward_s;
    };
    EXPECT_EQ(pass_s(LayerKind::mtp) > pass_s(LayerKind::dense), modules > 0);
  }
  EXPECT_GT(last_layers[0], last_layers[1]);
  EXPECT_GT(last_layers[1], last_layers[2]);
}

// Of all choices on two ranks, each some first layers in full and some next in part, the least
// seconds of backward that fit; infinite: none does.
class EachRecomputation {
 public:
  EachRecomputation(const Job& job, const Settled& settled, Settler& settler)
      : job_(job), settler_(settler), open_(settled.candidate), layers_(2) {
    set_recompute({}, open_);
    size_t layer = 0;
    for (size_t stage = 0; stage < open_.layers_per_stage.size(); ++stage) {
      const int64_t rank = pipeline_rank_of_stage(open_.schedule, 2, static_cast<int64_t>(stage));
      for (int64_t i = 0; i < open_.layers_per_stage[stage]; ++i) {
        layers_[static_cast<size_t>(rank)].push_back(layer++);
      }
    }
    open_.layer_recompute.assign(layer, Recompute::none);
  }

  double seconds(const Candidate& c) {
    double sum_s = 0;
    for (const StageTime& time : times(c)) sum_s += time.durations.backward_s;
    return sum_s;
  }

  double least_s() {
    double least_s = std::numeric_limits<double>::infinity();
    for_each_choice(0, open_, [&](const Candidate& first) {
      for_each_choice(1, first, [&](const Candidate& c) {
        const StageMemory memory =
            fullest_stage(job_, c, stage_layers(job_.model, c), settler_.cache().elements(c),
                          settler_.cache().costs(c), &settler_.schedules());
        if (memory.total_bytes <= job_.cluster.accelerator.memory_bytes) {
          least_s = std::min(least_s, seconds(c));
        }
      });
    });
    return least_s;
  }

 private:
  std::vector<StageTime> times(const Candidate& c) {
    return stage_times(job_, c, stage_layers(job_.model, c), settler_.cache().elements(c),
                       settler_.cache().costs(c), place_all(c.mesh, job_));
  }

  template <typename Visit>
  void for_each_choice(size_t rank, Candidate c, const Visit& visit) {
    const std::vector<size_t>& layers = layers_[rank];
    for (size_t full = 0; full <= layers.size(); ++full) {
      for (size_t part = 0; full + part <= layers.size(); ++part) {
        for (size_t i = 0; i < layers.size(); ++i) {
          c.layer_recompute[layers[i]] = i < full          ? Recompute::full
                                         : i < full + part ? Recompute::selective
                                                           : Recompute::none;
        }
        visit(c);
      }
    }
  }

  const Job& job_;
  Settler& settler_;
  Candidate open_;
  std::vector<std::vector<size_t>> layers_;  // [ranks], in the order of their stages
};

// How many of the settled choices were neither all nor nothing.
int64_t expect_least_recomputation(const Job& job, ScheduleKind kind) {
  LayerCostCache cache(job);
  Settler settler(job, {}, cache);
  Candidate open;
  open.mesh.pp = 2;
  open.schedule = kind;
  const bool is_many = kind == ScheduleKind::zb_v || kind == ScheduleKind::interleaved;
  open.virtual_stages = is_many ? 2 : 1;
  const Settled settled = settler.settle(open);
  EachRecomputation each(job, settled, settler);
  const double least_s = each.least_s();
  const std::string what =
      concat(to_string(kind), " in ", job.cluster.accelerator.memory_bytes, " bytes");
  EXPECT_EQ(settled.fits, std::isfinite(least_s)) << what;
  if (!settled.fits) return 0;
  EXPECT_NEAR(each.seconds(settled.candidate), least_s, 1e-9 * least_s) << what;
  return settled.candidate.layer_recompute.empty() ? 0 : 1;
}

constexpr ScheduleKind kSchedules[] = {ScheduleKind::one_f_one_b, ScheduleKind::gpipe,
                                       ScheduleKind::zb_h1, ScheduleKind::zb_v,
                                       ScheduleKind::interleaved};

TEST(Settle, NoRecomputationThatFitsTakesLessTime) {
  int64_t num_mixed = 0;
  for (SmallModel model : {SmallModel::llama, SmallModel::moe}) {
    for (ScheduleKind kind : kSchedules) {
      for (int64_t kilobytes = 2000; kilobytes < 14000; kilobytes += 500) {
        num_mixed += expect_least_recomputation(small_job(model, 2, 16, kilobytes * 1000), kind);
      }
    }
  }
  EXPECT_GT(num_mixed, 10);
}

// The same where another framework's memory counts: one that holds scores of all pairs, where a
// block that is computed again needs what others have freed, and one that does not.
TEST(Settle, NoRecomputationThatFitsAnotherFrameworkTakesLessTime) {
  for (const bool fuses_attention : {false, true}) {
    int64_t num_mixed = 0, num_without = 0;
    for (SmallModel model : {SmallModel::llama, SmallModel::mixed_moe}) {
      for (ScheduleKind kind : kSchedules) {
        for (int64_t kilobytes = 2000; kilobytes < 20000; kilobytes += 500) {
          Job job = small_job(model, 2, 16, kilobytes * 1000);
          job.stack.keeps_memory = true;
          job.stack.facts.is_own = false;
          job.stack.facts.runs_own_kernels = false;
          job.stack.facts.fuses_attention = fuses_attention;
          job.stack.facts.keeps_products = fuses_attention;
          const int64_t mixed = expect_least_recomputation(job, kind);
          num_mixed += mixed;
          num_without += 1 - mixed;
        }
      }
    }
    EXPECT_GT(num_mixed, 10) << fuses_attention;
    EXPECT_GT(num_without, 10) << fuses_attention;
  }
}

// A search with another framework's memory finds what is found when its recomputation is told.
TEST(Search, AnotherFrameworkComputesNoMoreAgainThanItMust) {
  int64_t num_mixed = 0;
  for (int64_t megabytes = 4; megabytes < 14; ++megabytes) {
    Job job = small_job(SmallModel::mixed_moe, 4, 16, megabytes * 1'000'000);
    job.stack.keeps_memory = true;
    const SearchResult found = search(job, {}, 1, 1);
    for (const Recompute kind : {Recompute::selective, Recompute::full}) {
      for (int64_t layers = 1; layers <= job.model.num_layers; ++layers) {
        Fixed fixed;
        fixed.recompute = kind;
        fixed.recompute_layers = layers;
        const SearchResult told = search(job, fixed, 1, 1);
        if (told.plans.empty()) continue;
        ASSERT_FALSE(found.plans.empty()) << megabytes;
        EXPECT_LE(found.plans[0].predicted.step_s, told.plans[0].predicted.step_s * (1 + 1e-6))
            << megabytes << " MB, " << to_string(kind) << " of " << layers;
      }
    }
    if (!found.plans.empty()) num_mixed += recompute_word(found.plans[0]) == "mixed" ? 1 : 0;
  }
  EXPECT_GT(num_mixed, 0);
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

// Of all that does not fit the one that is named misses least, for any number of threads.
TEST(Search, NamesTheNearestThatDoesNotFit) {
  for (SmallModel model : {SmallModel::llama, SmallModel::moe}) {
    for (const int64_t bytes : {200'000, 3'000'000, 7'000'000}) {
      const Job job = small_job(model, 8, 16, bytes);
      const int64_t least = brute_force(job).least_missing_bytes;
      ASSERT_GT(least, 0);
      for (const int threads : {1, 2, 5}) {
        const SearchSummary summary = search(job, {}, 1, threads).summary;
        const auto memory =
            std::find_if(summary.rejected.begin(), summary.rejected.end(),
                         [](const Rejection& r) { return r.reason == "out of memory"; });
        ASSERT_NE(memory, summary.rejected.end());
        EXPECT_EQ(memory->nearest.find(concat("short by ", format_bytes(least), " ")), 0u)
            << memory->nearest << ", least " << least;
      }
    }
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
  const Job job = small_job(SmallModel::moe, 24, 48, 9'000'000);
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
      {"pp=1,schedule=interleaved", "with pp=1, which is no pipeline; valid: pp=2", &dense},
      {"pp=1,virtual_stages=2", "virtual_stages=2 with pp=1", &dense},
      {"tp=2,dp=4,schedule=zb-v", "schedule=zb-v with what leaves pp=1", &dense},
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

TEST(Fixed, SchedulesOfManyStagesAndSplitBackward) {
  const Job job = small_job(SmallModel::llama, 4, 16);
  const std::tuple<const char*, ScheduleKind, int64_t> kCases[] = {
      {"pp=2,schedule=interleaved", ScheduleKind::interleaved, 2},  // of 2 and 3 the faster one
      {"pp=2,virtual_stages=2,schedule=interleaved", ScheduleKind::interleaved, 2},
      {"pp=2,schedule=zb-h1", ScheduleKind::zb_h1, 1},
      {"pp=2,schedule=zb-v", ScheduleKind::zb_v, 2}};
  const double plain_s =
      search(job, parse_fixed("tp=1,pp=2,micro_batch=1,schedule=1f1b,recompute=none,zero=0"), 1, 1)
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

TEST(Fixed, PipelineSchedulesHavePipelines) {
  const Job job = small_job(SmallModel::llama, 4, 16);
  for (const char* fix : {"schedule=interleaved", "virtual_stages=2", "tp=2,schedule=zb-v"}) {
    const SearchResult result = search(job, parse_fixed(fix), 100, 1);
    EXPECT_FALSE(result.plans.empty()) << fix;
    for (const Plan& plan : result.plans) EXPECT_GT(plan.mesh.pp, 1) << fix;
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
  EXPECT_EQ(default_global_batch(job.model, cluster, Task::pretrain, 2048, 1), 2048);  // 4M tokens
  EXPECT_EQ(default_global_batch(job.model, cluster, Task::pretrain, 2048, 48) % 48, 0);
  cluster.device = Device::cpu;
  cluster.num_devices = 4;
  EXPECT_EQ(default_global_batch(job.model, cluster, Task::pretrain, 256, 1), 64);
  EXPECT_EQ(default_global_batch(job.model, cluster, Task::pretrain, 1 << 20, 8), 8);
  cluster.device = Device::cuda;
  cluster.num_devices = 8;
  for (const Task task : {Task::finetune, Task::lora}) {
    EXPECT_EQ(default_global_batch(job.model, cluster, task, 8192, 1), 128);
    EXPECT_EQ(default_global_batch(job.model, cluster, task, 512, 1),
              128);  // sequences, not tokens
  }
  cluster.num_devices = 512;
  EXPECT_EQ(default_global_batch(job.model, cluster, Task::lora, 8192, 1), 512);
  // 2^5 * 5^5 devices: tp and pp can take 5^2 of them, so that dp needs 5^3.
  ModelSpec large = job.model;
  large.num_layers = 96;
  large.layer_is_moe.assign(96, false);
  large.num_heads = large.num_kv_heads = 96;
  cluster.device = Device::cuda;
  cluster.num_devices = 100000;
  EXPECT_EQ(default_global_batch(large, cluster, Task::pretrain, 1176, 1) % 125,
            0);  // near 3,400 else
}

TEST(Divisors, Ascend) {
  EXPECT_EQ(divisors(12), (std::vector<int64_t>{1, 2, 3, 4, 6, 12}));
  EXPECT_EQ(divisors(1), (std::vector<int64_t>{1}));
  EXPECT_EQ(divisors(49), (std::vector<int64_t>{1, 7, 49}));
}

}  // namespace
}  // namespace argosy
