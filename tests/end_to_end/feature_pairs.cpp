// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every feature of parallel training with every other, in the smallest layout that has both: so
// that the table (layouts.cpp) may hold what is interesting, and nothing is left out.
#include "planner/spec/check.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {

namespace {

// Features of one kind exclude each other.
enum class Kind { tensor, schedule, zero, context, experts, etp, model, routing, recompute, other };

struct Feature {
  const char* name;
  Kind kind;
  bool (*is_in)(const Layout& layout);
  void (*add)(Layout& layout);
};

bool is_mixture(const Layout& l) {
  return l.model != TinyModel::llama && l.model != TinyModel::latent_dense &&
         l.model != TinyModel::dense_mtp && l.model != TinyModel::tied_mtp &&
         l.model != TinyModel::qwen2_tied && l.model != TinyModel::qwen2_windows &&
         l.model != TinyModel::qwen3 && l.model != TinyModel::gpt2;
}

bool has_modules(const Layout& l) {
  return l.model == TinyModel::deepseek_mtp || l.model == TinyModel::glm_mtp ||
         l.model == TinyModel::dense_mtp || l.model == TinyModel::tied_mtp;
}

// Experts need a model that has some, and ranks to lie on.
void make_mixture(Layout& l) {
  if (!is_mixture(l)) l.model = TinyModel::mixtral;
}

void set_zero(Layout& l, int stage) {
  l.zero_stage = stage;
  l.mesh.dp = std::max<int64_t>(l.mesh.dp, 2);
}

// Virtual stages need a layer each.
void set_schedule(Layout& l, ScheduleKind kind, int64_t virtual_stages) {
  l.mesh.pp = 2;
  l.schedule = kind;
  l.virtual_stages = virtual_stages;
  if (virtual_stages > 1) l.num_layers = 5;
}

bool has_schedule(const Layout& l, ScheduleKind kind) {
  return l.mesh.pp > 1 && l.schedule == kind;
}

bool has_cp(const Layout& l, ContextParallel kind) {
  return l.mesh.cp > 1 && l.cp_kind == kind;
}

// In the order in which they are added: degrees first, then what needs them.
const Feature kFeatures[] = {
    {"moe", Kind::model, is_mixture, make_mixture},
    {"shared_expert", Kind::model, [](const Layout& l) { return l.model == TinyModel::qwen2_moe; },
     [](Layout& l) { l.model = TinyModel::qwen2_moe; }},
    {"sigmoid_router", Kind::model,
     [](const Layout& l) { return l.model == TinyModel::sigmoid_moe; },
     [](Layout& l) { l.model = TinyModel::sigmoid_moe; }},
    {"latent", Kind::model,
     [](const Layout& l) {
       return l.model == TinyModel::deepseek || l.model == TinyModel::latent_dense;
     },
     [](Layout& l) { l.model = TinyModel::deepseek; }},
    {"mtp", Kind::model, has_modules, [](Layout& l) { l.model = TinyModel::deepseek_mtp; }},
    {"gpt_oss", Kind::model,
     [](const Layout& l) {
       return l.model == TinyModel::gpt_oss || l.model == TinyModel::gpt_oss_wide;
     },
     [](Layout& l) { l.model = TinyModel::gpt_oss; }},
    {"tied", Kind::model, [](const Layout& l) { return l.model == TinyModel::qwen2_tied; },
     [](Layout& l) { l.model = TinyModel::qwen2_tied; }},
    {"gpt2", Kind::model, [](const Layout& l) { return l.model == TinyModel::gpt2; },
     [](Layout& l) { l.model = TinyModel::gpt2; }},
    {"tp_sp", Kind::tensor, [](const Layout& l) { return l.mesh.tp > 1 && l.sequence_parallel; },
     [](Layout& l) { l.mesh.tp = 2; }},
    {"tp_plain", Kind::tensor,
     [](const Layout& l) { return l.mesh.tp > 1 && !l.sequence_parallel; },
     [](Layout& l) { l.mesh.tp = 2, l.sequence_parallel = false; }},
    {"gpipe", Kind::schedule, [](const Layout& l) { return has_schedule(l, ScheduleKind::gpipe); },
     [](Layout& l) { set_schedule(l, ScheduleKind::gpipe, 1); }},
    {"1f1b", Kind::schedule,
     [](const Layout& l) { return has_schedule(l, ScheduleKind::one_f_one_b); },
     [](Layout& l) { set_schedule(l, ScheduleKind::one_f_one_b, 1); }},
    {"interleaved", Kind::schedule,
     [](const Layout& l) { return has_schedule(l, ScheduleKind::interleaved); },
     [](Layout& l) { set_schedule(l, ScheduleKind::interleaved, 2); }},
    {"zbh1", Kind::schedule, [](const Layout& l) { return has_schedule(l, ScheduleKind::zb_h1); },
     [](Layout& l) { set_schedule(l, ScheduleKind::zb_h1, 1); }},
    {"zbv", Kind::schedule, [](const Layout& l) { return has_schedule(l, ScheduleKind::zb_v); },
     [](Layout& l) { set_schedule(l, ScheduleKind::zb_v, 2); }},
    {"ring", Kind::context, [](const Layout& l) { return has_cp(l, ContextParallel::ring); },
     [](Layout& l) {
       l.mesh.cp = 2;
       if (l.model == TinyModel::gpt_oss) l.model = TinyModel::gpt_oss_wide;
     }},
    {"ulysses", Kind::context, [](const Layout& l) { return has_cp(l, ContextParallel::ulysses); },
     [](Layout& l) {
       l.mesh.cp = 2, l.cp_kind = ContextParallel::ulysses;
       // More key/value heads to deal out.
       if (l.mesh.tp > 1 && l.model != TinyModel::deepseek) l.model = TinyModel::gpt2;
     }},
    {"zero1", Kind::zero, [](const Layout& l) { return l.zero_stage == 1; },
     [](Layout& l) { set_zero(l, 1); }},
    {"zero2", Kind::zero, [](const Layout& l) { return l.zero_stage == 2; },
     [](Layout& l) { set_zero(l, 2); }},
    {"zero3", Kind::zero, [](const Layout& l) { return l.zero_stage == 3; },
     [](Layout& l) { set_zero(l, 3); }},
    {"hybrid", Kind::zero, [](const Layout& l) { return l.mesh.zero_shard > 0; },
     [](Layout& l) {
       l.mesh.dp = 4, l.mesh.zero_shard = 2;
       l.zero_stage = splits_backward(l.schedule) ? 1 : 3;
     }},
    {"ep", Kind::experts, [](const Layout& l) { return l.mesh.ep > 1; },
     [](Layout& l) {
       make_mixture(l);
       l.mesh.ep = 2;
       if (l.mesh.stage_size() % 2 != 0) l.mesh.dp = 2;
     }},
    {"etp", Kind::etp, [](const Layout& l) { return l.mesh.etp > 1; },
     [](Layout& l) {
       make_mixture(l);
       l.mesh.etp = 2;
       while (l.mesh.stage_size() % (l.mesh.ep * l.mesh.etp) != 0) l.mesh.dp *= 2;
     }},
    {"capacity", Kind::other, [](const Layout& l) { return l.moe_capacity_factor > 0; },
     [](Layout& l) { make_mixture(l), l.moe_capacity_factor = 0.75; }},
    {"global_aux_loss", Kind::other,
     [](const Layout& l) { return l.aux_loss_scope == AuxLossScope::global; },
     [](Layout& l) { make_mixture(l), l.aux_loss_scope = AuxLossScope::global; }},
    {"selective", Kind::recompute,
     [](const Layout& l) { return l.recompute == Recompute::selective; },
     [](Layout& l) { l.recompute = Recompute::selective; }},
    {"full", Kind::recompute, [](const Layout& l) { return l.recompute == Recompute::full; },
     [](Layout& l) { l.recompute = Recompute::full; }},
    {"mixed_recompute", Kind::recompute, [](const Layout& l) { return l.mixed_recompute; },
     [](Layout& l) { l.mixed_recompute = true; }},
    {"lora", Kind::other, [](const Layout& l) { return l.lora_rank > 0; },
     [](Layout& l) { l.lora_rank = 2; }},
    {"offload", Kind::other, [](const Layout& l) { return l.offload == Offload::optimizer; },
     [](Layout& l) {
       l.offload = Offload::optimizer;
       if (l.model != TinyModel::gpt2) l.optimizer = OptimizerKind::adamw;  // as below
     }},
    {"dropout", Kind::other, [](const Layout& l) { return l.dropout > 0; },
     [](Layout& l) { l.dropout = 0.2; }},
    {"documents", Kind::other, [](const Layout& l) { return l.document_mask; },
     [](Layout& l) { l.document_mask = true; }},
    {"adamw", Kind::other, [](const Layout& l) { return l.optimizer == OptimizerKind::adamw; },
     [](Layout& l) {
       l.optimizer = OptimizerKind::adamw;
       // Without rotation softmax ignores a key's bias: its gradient is rounding, which Adam
       // scales.
       if (l.model == TinyModel::gpt2) l.model = TinyModel::llama;
     }},
};

bool is_in_the_table(const Feature& a, const Feature& b) {
  for (const Layout& line : layouts()) {
    if (a.is_in(line) && b.is_in(line)) return true;
  }
  return false;
}

}  // namespace

std::vector<FeaturePair> pairs_beside_the_table() {
  std::vector<FeaturePair> pairs;
  for (const Feature& a : kFeatures) {
    for (const Feature& b : kFeatures) {
      const bool is_pair = &a < &b && (a.kind != b.kind || a.kind == Kind::other);
      if (!is_pair || is_in_the_table(a, b)) continue;
      FeaturePair pair;
      pair.layout.name = concat(a.name, "_and_", b.name);
      a.add(pair.layout);
      b.add(pair.layout);
      if (!a.is_in(pair.layout) || !b.is_in(pair.layout)) {
        pair.refusal = "one excludes the other";
      } else {
        try {
          plan_of(pair.layout);
        } catch (const ConfigError& error) {
          pair.refusal = error.what();
        }
      }
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

std::vector<Layout> layouts_of_pairs() {
  std::vector<Layout> result;
  for (const FeaturePair& pair : pairs_beside_the_table()) {
    if (pair.refusal.empty()) result.push_back(pair.layout);
  }
  return result;
}

}  // namespace argosy
