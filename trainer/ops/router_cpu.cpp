// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/router.h"
#include "trainer/ops/router_choice.h"

namespace argosy::ops {

namespace {

// probs (E) = softmax of x (E); returns log(sum(exp(x))).
template <typename S>
S softmax(const S* x, int64_t num_experts, S* probs) {
  const S largest = *std::max_element(x, x + num_experts);
  S sum = 0;
  for (int64_t e = 0; e < num_experts; ++e) {
    probs[e] = std::exp(x[e] - largest);
    sum += probs[e];
  }
  for (int64_t e = 0; e < num_experts; ++e) probs[e] /= sum;
  return largest + std::log(sum);
}

// probs (E) = 1 / (1 + exp(-x (E))); returns their sum.
template <typename S>
S sigmoid(const S* x, int64_t num_experts, S* probs) {
  S sum = 0;
  for (int64_t e = 0; e < num_experts; ++e) {
    probs[e] = 1 / (1 + std::exp(-x[e]));
    sum += probs[e];
  }
  return sum;
}

}  // namespace

template <>
void detail::router_forward<Device::cpu>(const RouterRule& rule, const Tensor& logits,
                                         const Tensor& bias, const Tensor& probs,
                                         const Tensor& experts, const Tensor& weights,
                                         const Tensor& sums) {
  dispatch_statistic(logits.dtype(), [&]<typename S>() {
    const int64_t num_experts = logits.dim(1), k = experts.dim(1);
    const S* bias_data = bias.defined() ? bias.data<S>() : nullptr;
    for_rows(logits.dim(0), num_experts * k, [&](int64_t t) {
      const S* x = logits.data<S>() + t * num_experts;    // (E)
      S* prob = probs.data<S>() + t * num_experts;        // (E)
      int32_t* chosen = experts.data<int32_t>() + t * k;  // (k)
      sums.data<S>()[t] = rule.scoring == ScoringFunction::softmax ? softmax(x, num_experts, prob)
                                                                   : sigmoid(x, num_experts, prob);
      choose_experts(rule, x, prob, bias_data, num_experts, k, chosen);
      choice_weights(rule, x, prob, chosen, k, weights.data<S>() + t * k);
    });
  });
}

namespace {

// grad (E), of the probabilities, becomes that of the logits. dlse: of the log-sum-exp, whose
// derivative is the softmax.
template <typename S>
void softmax_backward(const S* prob, S dlse, int64_t num_experts, S* grad) {
  S mean = 0;
  for (int64_t e = 0; e < num_experts; ++e) mean += prob[e] * grad[e];
  for (int64_t e = 0; e < num_experts; ++e) grad[e] = prob[e] * (grad[e] - mean + dlse);
}

// grad (E), of score / sum, becomes that of the scores.
template <typename S>
void share_backward(const S* score, S sum, int64_t num_experts, S* grad) {
  S mean = 0;
  for (int64_t e = 0; e < num_experts; ++e) mean += score[e] * grad[e];
  mean /= sum;
  for (int64_t e = 0; e < num_experts; ++e) grad[e] = (grad[e] - mean) / sum;
}

}  // namespace

template <>
void detail::router_backward<Device::cpu>(const RouterRule& rule, const Tensor& dweights,
                                          const Tensor& probs, const Tensor& experts,
                                          const Tensor& weights, const Tensor& dshares,
                                          const Tensor& sums, double z_factor, const Tensor& mask,
                                          const Tensor& dlogits) {
  dispatch_statistic(probs.dtype(), [&]<typename S>() {
    const int64_t num_experts = probs.dim(1), k = experts.dim(1);
    const bool is_sigmoid = rule.scoring == ScoringFunction::sigmoid;
    for_rows(probs.dim(0), num_experts, [&](int64_t t) {
      const S* prob = probs.data<S>() + t * num_experts;  // (E)
      const S* dweight = dweights.data<S>() + t * k;      // (k)
      const S* weight = weights.data<S>() + t * k;        // (k)
      const int32_t* chosen = experts.data<int32_t>() + t * k;
      S* grad = dlogits.data<S>() + t * num_experts;  // (E), first of the probabilities
      for (int64_t e = 0; e < num_experts; ++e) {
        grad[e] = dshares.defined() ? dshares.data<S>()[t * num_experts + e] : S(0);
      }
      if (is_sigmoid && dshares.defined())
        share_backward(prob, sums.data<S>()[t], num_experts, grad);
      if (!rule.from_logits()) add_choice_dprobs(rule, dweight, prob, chosen, k, grad);
      if (is_sigmoid) {
        for (int64_t e = 0; e < num_experts; ++e) grad[e] *= prob[e] * (1 - prob[e]);
        return;
      }
      S dlse = 0;  // of the z loss
      if (z_factor != 0) {
        dlse = static_cast<S>(2 * z_factor) * sums.data<S>()[t] * mask.data<S>()[t];
      }
      softmax_backward(prob, dlse, num_experts, grad);
      if (rule.from_logits()) add_choice_dlogits(rule, dweight, weight, chosen, k, grad);
    });
  });
}

template <>
void detail::router_statistics<Device::cpu>(const Tensor& probs, const Tensor& divisor,
                                            const Tensor& experts, int64_t first_row,
                                            int64_t rows_per_sequence, const Tensor& counts,
                                            const Tensor& prob_sums) {
  dispatch_statistic(probs.dtype(), [&]<typename S>() {
    const int64_t num_rows = probs.dim(0), num_experts = probs.dim(1), k = experts.dim(1);
    S* count = counts.data<S>();        // (B,E)
    S* prob_sum = prob_sums.data<S>();  // (B,E)
    std::fill(count, count + counts.size(), S(0));
    std::fill(prob_sum, prob_sum + prob_sums.size(), S(0));
    // Choices are few: s*k additions of 1, exact in fp32 up to 2^24.
    for (int64_t i = 0; i < num_rows * k; ++i) {
      const int64_t sequence = (first_row + i / k) / rows_per_sequence;
      count[sequence * num_experts + experts.data<int32_t>()[i]] += 1;
    }
    for_columns(num_rows, num_experts, [&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < num_rows; ++t) {
        const S* prob = probs.data<S>() + t * num_experts;
        S* to = prob_sum + (first_row + t) / rows_per_sequence * num_experts;
        const S whole = divisor.defined() ? divisor.data<S>()[t] : S(1);
#pragma omp simd
        for (int64_t e = begin; e < end; ++e) to[e] += prob[e] / whole;
      }
    });
  });
}

template <>
void detail::aux_loss_backward<Device::cpu>(const Tensor& counts, const Tensor& unmasked,
                                            int64_t top_k, double coef, int64_t first_row,
                                            int64_t rows_per_sequence, int64_t seq_len,
                                            const Tensor& dprobs) {
  dispatch_statistic(dprobs.dtype(), [&]<typename S>() {
    const int64_t num_experts = dprobs.dim(1);
    const double length = static_cast<double>(seq_len);
    const double factor =
        coef * static_cast<double>(num_experts) / (length * static_cast<double>(top_k)) / length;
    for_rows(dprobs.dim(0), num_experts, [&](int64_t t) {
      const int64_t sequence = (first_row + t) / rows_per_sequence;
      const S scale = static_cast<S>(factor) * unmasked.data<S>()[sequence];
      const S* count = counts.data<S>() + sequence * num_experts;
      S* to = dprobs.data<S>() + t * num_experts;
#pragma omp simd
      for (int64_t e = 0; e < num_experts; ++e) to[e] = scale * count[e];
    });
  });
}

}  // namespace argosy::ops
