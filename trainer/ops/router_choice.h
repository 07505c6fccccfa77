// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which experts one token chooses and with what weights. What is constexpr runs on any device.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "trainer/ops/router.h"

namespace argosy::ops {

// chosen (k): the largest of score (E), descending, ties in order of index. Insertion into a short
// sorted list: k is at most about 8, so this beats any heap.
template <typename S>
void select_top_k(const S* score, int64_t num_experts, int64_t k, int32_t* chosen) {
  int64_t filled = 0;
  for (int64_t e = 0; e < num_experts; ++e) {
    if (filled == k && !(score[e] > score[chosen[k - 1]])) continue;
    int64_t at = filled < k ? filled++ : k - 1;
    for (; at > 0 && score[e] > score[chosen[at - 1]]; --at) chosen[at] = chosen[at - 1];
    chosen[at] = static_cast<int32_t>(e);
  }
}

// The sum of the two largest of score (size), or the only one: what DeepSeek-V3 ranks groups by
// (arXiv:2412.19437, section 2.1.2).
template <typename S>
constexpr S group_score(const S* score, int64_t size) {
  S first = score[0], second = -std::numeric_limits<S>::infinity();
  for (int64_t e = 1; e < size; ++e) {
    if (score[e] > first) {
      second = first;
      first = score[e];
    } else if (score[e] > second) {
      second = score[e];
    }
  }
  return size > 1 ? first + second : first;
}

// Leaves the experts of the best groups in the running; the others' score (E) becomes -infinity.
template <typename S>
void limit_to_groups(const RouterRule& rule, int64_t num_experts, S* score) {
  const int64_t size = num_experts / rule.num_groups;
  std::vector<S> of_group(static_cast<size_t>(rule.num_groups));
  for (int64_t g = 0; g < rule.num_groups; ++g) {
    of_group[static_cast<size_t>(g)] = group_score(score + g * size, size);
  }
  std::vector<int32_t> best(static_cast<size_t>(rule.top_groups));
  select_top_k(of_group.data(), rule.num_groups, rule.top_groups, best.data());
  std::vector<bool> is_in(static_cast<size_t>(rule.num_groups), false);
  for (const int32_t g : best) is_in[static_cast<size_t>(g)] = true;
  for (int64_t e = 0; e < num_experts; ++e) {
    if (!is_in[static_cast<size_t>(e / size)]) score[e] = -std::numeric_limits<S>::infinity();
  }
}

// chosen (k) of one token. logits, probs (E); bias (E) or null.
template <typename S>
void choose_experts(const RouterRule& rule, const S* logits, const S* probs, const S* bias,
                    int64_t num_experts, int64_t k, int32_t* chosen) {
  // Probabilities grow with the logits, but distinct logits may round to one probability.
  if (bias == nullptr && rule.num_groups == 1) return select_top_k(logits, num_experts, k, chosen);
  std::vector<S> score(probs, probs + num_experts);
  for (int64_t e = 0; bias != nullptr && e < num_experts; ++e) {
    score[static_cast<size_t>(e)] += bias[e];
  }
  if (rule.num_groups > 1) limit_to_groups(rule, num_experts, score.data());
  select_top_k(score.data(), num_experts, k, chosen);
}

// weight (k) of the chosen experts of one token.
template <typename S>
constexpr void choice_weights(const RouterRule& rule, const S* logits, const S* probs,
                              const int32_t* chosen, int64_t k, S* weight) {
  S largest = logits[chosen[0]], sum = 0;
  for (int64_t j = 1; j < k; ++j) largest = std::max(largest, logits[chosen[j]]);
  for (int64_t j = 0; j < k; ++j) {
    weight[j] = rule.from_logits() ? std::exp(logits[chosen[j]] - largest) : probs[chosen[j]];
    sum += weight[j];
  }
  const S scale = static_cast<S>(rule.scaling);
  const S divisor = rule.from_logits() || rule.normalize ? sum : S(1);
  for (int64_t j = 0; j < k; ++j) weight[j] = scale * (weight[j] / divisor);
}

// Gradient of one token's weights with respect to the chosen probabilities, added to dprob (E).
template <typename S>
constexpr void add_choice_dprobs(const RouterRule& rule, const S* dweight, const S* probs,
                                 const int32_t* chosen, int64_t k, S* dprob) {
  S mean = 0, chosen_sum = 1;
  if (rule.normalize) {  // w = p / sum(p): dp = (dw - sum(w dw)) / sum(p)
    chosen_sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      mean += dweight[j] * probs[chosen[j]];
      chosen_sum += probs[chosen[j]];
    }
    mean /= chosen_sum;
  }
  const S scale = static_cast<S>(rule.scaling);
  for (int64_t j = 0; j < k; ++j) {
    dprob[chosen[j]] += scale * ((dweight[j] - mean) / chosen_sum);
  }
}

// The same with respect to the chosen logits when the weights are their softmax; to dlogit (E).
template <typename S>
constexpr void add_choice_dlogits(const RouterRule& rule, const S* dweight, const S* weight,
                                  const int32_t* chosen, int64_t k, S* dlogit) {
  const S scale = static_cast<S>(rule.scaling);
  S mean = 0;
  for (int64_t j = 0; j < k; ++j) mean += dweight[j] * (weight[j] / scale);
  for (int64_t j = 0; j < k; ++j) dlogit[chosen[j]] += weight[j] * (dweight[j] - mean);
}

}  // namespace argosy::ops
