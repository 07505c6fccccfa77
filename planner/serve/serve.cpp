// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/serve/serve.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/collective.h"
#include "planner/cost/compute.h"
#include "planner/cost/memory_band.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

constexpr double kActivationBytes = 2;   // bf16
constexpr int64_t kPrefillChunk = 8192;  // tokens that engines take into a pass at once

Precision compute_precision(const ServeJob& job) {
  const bool is_8_bit = job.weights.bytes == 1 && job.cluster.accelerator.fp8_flops_per_s > 0;
  return is_8_bit ? Precision::fp8 : Precision::bf16;
}

// Counts of absurd jobs stay countable.
int64_t to_count(double value) {
  constexpr double kMost = 4e18;
  return static_cast<int64_t>(std::min(value, kMost));
}

double ceil_divide(double a, double b) {
  return std::ceil(a / b);
}

// Seconds and bytes of a pass of `tokens` tokens, each attending to `keys` keys of its own
// sequence's cache (`sequences` of them), through layers on one stage of tp ranks.
class PassCost {
 public:
  PassCost(const ServeJob& job, const DecodeModel& model, int64_t tp)
      : job_(job), model_(model), tp_(static_cast<double>(tp)), precision_(compute_precision(job)) {
    place_ = place(tp, 1, job.cluster);
  }

  double rank_elements(const WeightProduct& p) const {
    const double kv_ranks = std::min(tp_, static_cast<double>(job_.model.num_kv_heads));
    return p.split_elements / tp_ + p.kv_elements / kv_ranks + p.replicated_elements;
  }

  double product_s(const WeightProduct& p, double tokens) const {
    const double elements = rank_elements(p);
    return op_s(OpKind::matmul, 2 * elements * p.share_per_token * tokens,
                elements * used_share(p, tokens) * job_.weights.bytes);
  }

  double attention_s(double tokens, double sequences, double keys) const {
    const double heads = static_cast<double>(job_.model.num_heads) / tp_;
    const double flops = 2 * heads * elements_per_score() * tokens * keys;
    return op_s(OpKind::attention, flops, sequences * keys * cache_bytes_per_layer());
  }

  // Of one token on a rank. A latent vector is on every rank, heads are cut.
  double cache_bytes_per_layer() const {
    const double ranks = job_.model.has_latent_attention()
                             ? 1
                             : std::min(tp_, static_cast<double>(job_.model.num_kv_heads));
    return static_cast<double>(model_.kv_elements_per_layer) / ranks * job_.cache.bytes;
  }

  double all_reduce_s(double tokens) const {
    if (tp_ == 1) return 0;
    const double bytes = tokens * static_cast<double>(job_.model.hidden_size) * kActivationBytes;
    return collective_seconds(CollectiveKind::all_reduce, to_count(bytes), place_, job_.cluster);
  }

  double small_op_s(double tokens) const {
    const double bytes =
        3 * tokens * static_cast<double>(job_.model.hidden_size) * kActivationBytes;
    return op_s(OpKind::memory, 0, bytes);
  }

 private:
  // Multiplications of one head with one cached token, for the score and for the sum. Queries are
  // brought to the latent vector's size instead of keys and values to theirs.
  double elements_per_score() const {
    const LatentAttention& latent = job_.model.latent;
    return job_.model.has_latent_attention()
               ? static_cast<double>(2 * latent.kv_rank + latent.rope_dim)
               : static_cast<double>(2 * job_.model.head_dim);
  }

  double op_s(OpKind kind, double flops, double bytes) const {
    const OpWork op{kind, to_count(flops), to_count(bytes), 1};
    return op_seconds(op, job_.cluster.accelerator, precision_);
  }

  const ServeJob& job_;
  const DecodeModel& model_;
  double tp_;
  Precision precision_;
  GroupPlacement place_;
};

struct PassTime {
  double total_s = 0, weight_s = 0, cache_s = 0, communication_s = 0;
};

PassTime operator*(PassTime t, double factor) {
  return {t.total_s * factor, t.weight_s * factor, t.cache_s * factor, t.communication_s * factor};
}

PassTime operator+(const PassTime& a, const PassTime& b) {
  return {a.total_s + b.total_s, a.weight_s + b.weight_s, a.cache_s + b.cache_s,
          a.communication_s + b.communication_s};
}

PassTime layer_time(const PassCost& cost, const DecodeLayer& layer, double tokens, double sequences,
                    double keys) {
  PassTime time;
  for (const WeightProduct& p : layer.products) time.weight_s += cost.product_s(p, tokens);
  time.cache_s = cost.attention_s(tokens, sequences, layer.seen_keys(keys));
  time.communication_s = 2 * cost.all_reduce_s(tokens);
  time.total_s = time.weight_s + time.cache_s + time.communication_s +
                 static_cast<double>(layer.num_small_ops) * cost.small_op_s(tokens);
  return time;
}

// All layers and the head, for `tokens` tokens of `sequences` sequences; the head sees one token of
// each.
PassTime model_time(const PassCost& cost, const DecodeModel& model, double tokens, double sequences,
                    double keys) {
  PassTime sum;
  for (const DecodeLayer& layer : model.layers) {
    sum = sum + layer_time(cost, layer, tokens, sequences, keys) * static_cast<double>(layer.count);
  }
  const double head_s = cost.product_s(model.head, sequences);
  return sum + PassTime{head_s, head_s, 0, 0};
}

// Layers of the longest stage over those of an even split.
double longest_stage(const ModelSpec& model, int64_t pp) {
  const double layers = static_cast<double>(model.num_layers), stages = static_cast<double>(pp);
  return ceil_divide(layers, stages) / (layers / stages);
}

double send_s(const ServeJob& job, int64_t tp, int64_t pp, double tokens) {
  if (pp == 1) return 0;
  const double bytes = tokens * static_cast<double>(job.model.hidden_size) * kActivationBytes;
  return static_cast<double>(pp) * collective_seconds(CollectiveKind::send, to_count(bytes),
                                                      place(pp, tp, job.cluster), job.cluster);
}

void predict_memory(const ServeJob& job, const DecodeModel& model, const PassCost& cost,
                    ServePlan& plan) {
  const double layers = static_cast<double>(job.model.num_layers);
  double layer_elements = 0;
  for (const DecodeLayer& layer : model.layers) {
    for (const WeightProduct& p : layer.products) {
      layer_elements += static_cast<double>(layer.count) * cost.rank_elements(p);
    }
  }
  const double on_stage = ceil_divide(layers, static_cast<double>(plan.pp));
  const double table = model.table_parameters / static_cast<double>(plan.tp);
  const double head = model.is_table_the_head && plan.pp == 1 ? 0 : cost.rank_elements(model.head);
  const double ends = plan.pp == 1 ? table + head : std::max(table, head);
  plan.weight_bytes = to_count((layer_elements * on_stage / layers + ends) * job.weights.bytes);
  const double tokens = model.cached_tokens(static_cast<double>(job.context_tokens));
  plan.cache_bytes = to_count(static_cast<double>(plan.users) * tokens * on_stage / layers *
                              cost.cache_bytes_per_layer());
  const double rows = static_cast<double>(std::min(job.prompt_tokens, kPrefillChunk));
  const double widest = static_cast<double>(std::max(job.model.ffn_size, job.model.hidden_size));
  const double scratch =
      rows *
      (4 * static_cast<double>(job.model.hidden_size) + 2 * widest / static_cast<double>(plan.tp)) *
      kActivationBytes;
  plan.peak_bytes = plan.weight_bytes + plan.cache_bytes + to_count(scratch);
}

// A prompt passes in chunks; its tokens see half of it in the mean.
double prompt_seconds(const ServeJob& job, const DecodeModel& model, const PassCost& cost,
                      int64_t tp, int64_t pp) {
  const double prompt = static_cast<double>(job.prompt_tokens);
  const double passes = ceil_divide(prompt, static_cast<double>(kPrefillChunk));
  const PassTime pass = model_time(cost, model, prompt / passes, 1, prompt / 2);
  return passes * pass.total_s + send_s(job, tp, pp, prompt);
}

void find_shortage(const ServeJob& job, ServePlan& plan) {
  const int64_t usable = unreserved_bytes(job.cluster.accelerator);
  if (plan.peak_bytes > usable) {
    plan.shortage =
        concat("out of memory: short by ", format_bytes(plan.peak_bytes - usable), " (weights ",
               format_bytes(plan.weight_bytes), ", cache ", format_bytes(plan.cache_bytes), ")");
  } else if (plan.tokens_per_s_per_user < job.tokens_per_s_per_user) {
    plan.shortage =
        concat("too slow: ", format_fixed(plan.tokens_per_s_per_user, 1), " tokens/s per user");
  }
}

}  // namespace

Storage storage_from_string(std::string_view text, std::string_view where) {
  for (const auto& [name, bytes] : {std::pair("fp32", 4.0),
                                    {"bf16", 2.0},
                                    {"fp16", 2.0},
                                    {"fp8", 1.0},
                                    {"int8", 1.0},
                                    {"int4", 0.5}}) {
    if (text == name) return {name, bytes};
  }
  throw ConfigError(concat(where, ": '", text, "'; valid: fp32, bf16, fp16, fp8, int8, int4"));
}

ServePlan serve_plan(const ServeJob& job, const DecodeModel& model, int64_t tp, int64_t pp,
                     int64_t users) {
  ServePlan plan;
  plan.tp = tp;
  plan.pp = pp;
  plan.users = users;
  plan.replicas = std::max<int64_t>(1, job.cluster.num_devices / (tp * pp));
  const PassCost cost(job, model, tp);
  const double group = ceil_divide(static_cast<double>(users), static_cast<double>(pp));
  const double keys = static_cast<double>(job.context_tokens);
  const PassTime time = model_time(cost, model, group, group, keys) * longest_stage(job.model, pp);
  plan.token_s = time.total_s + send_s(job, tp, pp, group);
  plan.weight_s = time.weight_s;
  plan.cache_s = time.cache_s;
  plan.communication_s = plan.token_s - time.total_s + time.communication_s;
  plan.first_token_s = prompt_seconds(job, model, cost, tp, pp);
  plan.tokens_per_s_per_user = 1 / plan.token_s;
  const double rate = static_cast<double>(users) / plan.token_s;
  plan.tokens_per_s_per_device = rate / static_cast<double>(plan.devices());
  plan.usd_per_million_tokens =
      job.cluster.usd_per_device_hour / kSecondsPerHour / plan.tokens_per_s_per_device * 1e6;
  plan.usd_per_million_prompt_tokens = job.cluster.usd_per_device_hour / kSecondsPerHour *
                                       static_cast<double>(plan.devices()) * plan.first_token_s /
                                       static_cast<double>(job.prompt_tokens) * 1e6;
  predict_memory(job, model, cost, plan);
  find_shortage(job, plan);
  return plan;
}

}  // namespace argosy
