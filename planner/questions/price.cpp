// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/price.h"

#include <algorithm>

#include "planner/cost/offload.h"
#include "planner/cost/settle.h"
#include "planner/report/plan_text.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

bool divides(const Job& job, const Candidate& candidate) {
  if (job.global_batch % (candidate.mesh.dp * candidate.micro_batch) != 0) return false;
  try {
    validate(to_plan(job, candidate));
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

struct Degree {
  const char* name;
  int64_t Mesh::*member;
};
constexpr Degree kDegrees[] = {
    {"tp", &Mesh::tp}, {"pp", &Mesh::pp}, {"dp", &Mesh::dp}, {"cp", &Mesh::cp}};

class Neighbourhood {
 public:
  Neighbourhood(const Job& job, const Candidate& base, LayerCostCache& cache)
      : job_(job), base_(base), settler_(job, SettleRule{}, cache) {}

  std::vector<Neighbour> find() {
    vary_words();
    for (int64_t micro_batch : {base_.micro_batch * 2, base_.micro_batch / 2}) {
      Candidate c = base_;
      c.micro_batch = micro_batch;
      if (micro_batch > 0) add_settled(concat("micro_batch=", micro_batch), c);
    }
    for (const Degree& more : kDegrees) {
      for (const Degree& less : kDegrees) trade(more, less);
    }
    for (int64_t ep : {base_.mesh.ep * 2, base_.mesh.ep / 2}) {
      Candidate c = base_;
      c.mesh.ep = ep;
      if (ep > 0 && job_.model.has_moe()) add_settled(concat("ep=", ep), c);
    }
    return std::move(found_);
  }

 private:
  void vary_words() {
    for (Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      Candidate c = base_;
      c.recompute = recompute;
      c.layer_recompute.clear();
      const bool is_same = base_.layer_recompute.empty() && recompute == base_.recompute;
      if (!is_same) add(concat("recompute=", to_string(recompute)), c);
    }
    Candidate other = base_;
    other.sequence_parallel = !base_.sequence_parallel;
    if (base_.mesh.tp > 1) {
      add_settled(concat("sequence_parallel=", other.sequence_parallel ? 1 : 0), other);
    }
    vary_zero();
    vary_offload();
    vary_order();
    vary_schedule();
  }

  void vary_zero() {
    for (int zero = 0; zero <= 3; ++zero) {
      Candidate c = base_;
      c.zero_stage = zero;
      if (zero == 0) c.mesh.zero_shard = 0;
      if (zero != base_.zero_stage) add_settled(concat("zero=", zero), c);
    }
    for (const LinkTier& tier : job_.cluster.tiers) {
      Candidate c = base_;
      c.mesh.zero_shard = tier.devices / base_.mesh.tp;
      const bool is_part = c.mesh.zero_shard > 1 && c.mesh.zero_shard < c.mesh.dp * c.mesh.cp;
      if (is_part && c.mesh.zero_shard != base_.mesh.zero_shard && base_.zero_stage > 0) {
        add_settled(concat("zero_shard=", c.mesh.zero_shard), c);
      }
    }
  }

  void vary_offload() {
    for (Offload offload : {Offload::none, Offload::optimizer}) {
      Candidate c = base_;
      c.offload = offload;
      if (offload != base_.offload && has_host(job_.cluster)) {
        add(concat("offload=", to_string(offload)), c);
      }
    }
  }

  void vary_order() {
    for (RankOrder order : {RankOrder::tp_cp_dp_pp, RankOrder::tp_cp_pp_dp}) {
      Candidate c = base_;
      c.mesh.order = order;
      if (order != base_.mesh.order && base_.mesh.pp > 1 && base_.mesh.dp > 1) {
        add(concat("order=", to_string(order)), c);
      }
    }
  }

  void vary_schedule() {
    for (ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::zb_h1,
                              ScheduleKind::interleaved, ScheduleKind::zb_v}) {
      Candidate c = base_;
      c.schedule = kind;
      const bool is_many = kind == ScheduleKind::interleaved || kind == ScheduleKind::zb_v;
      c.virtual_stages = is_many ? 2 : 1;
      if (kind != base_.schedule && base_.mesh.pp > 1) {
        add_settled(concat("schedule=", to_string(kind)), c);
      }
    }
    if (base_.schedule != ScheduleKind::interleaved) return;
    for (int64_t count : {base_.virtual_stages - 1, base_.virtual_stages + 1}) {
      Candidate c = base_;
      c.virtual_stages = count;
      if (count > 1) add_settled(concat("virtual_stages=", count), c);
    }
  }

  void trade(const Degree& more, const Degree& less) {
    if (more.member == less.member || base_.mesh.*less.member % 2 != 0) return;
    Candidate c = base_;
    c.mesh.*more.member *= 2;
    c.mesh.*less.member /= 2;
    c.sequence_parallel = c.mesh.tp > 1 && (base_.sequence_parallel || base_.mesh.tp == 1);
    add_settled(
        concat(more.name, "=", c.mesh.*more.member, ", ", less.name, "=", c.mesh.*less.member), c);
  }

  // With the layers of each stage and the recomputation that suit it.
  void add_settled(const std::string& change, Candidate candidate) {
    candidate.layers_per_stage.clear();
    candidate.layer_recompute.clear();
    if (candidate.num_stages() > job_.model.num_layers || !divides(job_, candidate)) return;
    add(change, settler_.settle(std::move(candidate)).candidate);
  }

  void add(const std::string& change, const Candidate& candidate) {
    if (divides(job_, candidate)) found_.push_back({change, candidate});
  }

  const Job& job_;
  const Candidate& base_;
  Settler settler_;
  std::vector<Neighbour> found_;
};

// "tp" of "tp=4, pp=16".
std::string_view first_key(const std::string& change) {
  return std::string_view(change).substr(0, change.find('='));
}

// The fastest neighbour of a neighbour that fits, the first decision kept.
void find_remedy(const Job& job, const Plan& base, const Candidate& candidate,
                 LayerCostCache& cache, ChangeEffect& effect) {
  for (const Neighbour& next : neighbours(job, candidate, cache)) {
    if (first_key(next.change) == first_key(effect.change)) continue;
    const Priced priced = price(job, next.candidate, cache);
    if (priced.missing_bytes > 0) continue;
    const double time = priced.plan.predicted.step_s / base.predicted.step_s - 1;
    if (!effect.remedy.empty() && time >= effect.remedy_time) continue;
    effect.remedy = next.change;
    effect.remedy_time = time;
    effect.remedy_bytes = priced.plan.predicted.peak_bytes - base.predicted.peak_bytes;
  }
}

}  // namespace

Candidate candidate_of(const Plan& plan) {
  Candidate candidate;
  candidate.mesh = plan.mesh;
  candidate.sequence_parallel = plan.sequence_parallel;
  candidate.micro_batch = plan.micro_batch;
  set_recompute(plan.recompute, candidate);
  candidate.layers_per_stage = plan.layers_per_stage;
  candidate.zero_stage = plan.zero_stage;
  candidate.schedule = plan.schedule;
  candidate.virtual_stages = plan.virtual_stages;
  candidate.cp_kind = plan.cp_kind;
  candidate.moe_capacity_factor = plan.moe_capacity_factor;
  candidate.offload = plan.offload;
  return candidate;
}

Priced price(const Job& job, const Candidate& candidate, LayerCostCache& cache) {
  validate(to_plan(job, candidate));
  const std::vector<StageLayers> stages = stage_layers(job.model, candidate);
  const LayerCosts& costs = cache.costs(candidate);
  const ElementTable& elements = cache.elements(candidate);
  const StageMemory memory = fullest_stage(job, candidate, stages, elements, costs);
  const std::vector<StageTime> times =
      stage_times(job, candidate, stages, elements, costs, place_all(candidate.mesh, job));
  Priced priced;
  priced.plan = predict(job, candidate, memory, times);
  priced.use = step_use(times, priced.plan.num_microbatches(), candidate.mesh.pp,
                        priced.plan.predicted.step_s);
  priced.missing_bytes = std::max<int64_t>(0, missing_bytes(job, candidate, memory));
  return priced;
}

std::vector<Neighbour> neighbours(const Job& job, const Candidate& candidate,
                                  LayerCostCache& cache) {
  return Neighbourhood(job, candidate, cache).find();
}

std::vector<ChangeEffect> change_effects(const Job& job, const Plan& plan) {
  LayerCostCache cache(job);
  std::vector<ChangeEffect> effects;
  for (const Neighbour& next : neighbours(job, candidate_of(plan), cache)) {
    const Priced priced = price(job, next.candidate, cache);
    ChangeEffect effect;
    effect.change = next.change;
    effect.bytes = priced.plan.predicted.peak_bytes - plan.predicted.peak_bytes;
    effect.time = priced.plan.predicted.step_s / plan.predicted.step_s - 1;
    effect.missing_bytes = priced.missing_bytes;
    if (priced.plan.recompute != plan.recompute && first_key(next.change) != "recompute") {
      effect.recompute = recompute_text(priced.plan);
    }
    if (priced.missing_bytes > 0) find_remedy(job, plan, next.candidate, cache, effect);
    effects.push_back(effect);
  }
  std::stable_sort(effects.begin(), effects.end(),
                   [](const auto& a, const auto& b) { return a.time < b.time; });
  return effects;
}

}  // namespace argosy
