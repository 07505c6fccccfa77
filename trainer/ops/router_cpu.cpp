// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/router.h"

namespace argosy::ops {

namespace {

// Body with double or float: the router's tensors are all in the statistic dtype.
template <typename Body>
void dispatch_statistic(DType dtype, const Body& body) {
  if (dtype == DType::fp64) {
    body.template operator()<double>();
  } else {
    body.template operator()<float>();
  }
}

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

// weight (k) of the chosen experts of one token.
template <typename S>
void choice_weights(RouterOrder order, bool normalize, const S* logits, const S* probs,
                    const int32_t* chosen, int64_t k, S* weight) {
  const bool from_logits = order == RouterOrder::topk_then_softmax;
  S sum = 0;
  for (int64_t j = 0; j < k; ++j) {
    // The first choice has the largest logit.
    weight[j] = from_logits ? std::exp(logits[chosen[j]] - logits[chosen[0]]) : probs[chosen[j]];
    sum += weight[j];
  }
  if (!from_logits && !normalize) return;
  for (int64_t j = 0; j < k; ++j) weight[j] /= sum;
}

}  // namespace

template <>
void detail::router_forward<Device::cpu>(RouterOrder order, bool normalize, const Tensor& logits,
                                         const Tensor& probs, const Tensor& experts,
                                         const Tensor& weights, const Tensor& lse) {
  dispatch_statistic(logits.dtype(), [&]<typename S>() {
    const int64_t num_experts = logits.dim(1), k = experts.dim(1);
    for_rows(logits.dim(0), num_experts * k, [&](int64_t t) {
      const S* x = logits.data<S>() + t * num_experts;    // (E)
      S* prob = probs.data<S>() + t * num_experts;        // (E)
      int32_t* chosen = experts.data<int32_t>() + t * k;  // (k)
      lse.data<S>()[t] = softmax(x, num_experts, prob);
      select_top_k(x, num_experts, k, chosen);
      choice_weights(order, normalize, x, prob, chosen, k, weights.data<S>() + t * k);
    });
  });
}

namespace {

// Gradient of one token's weights with respect to the chosen probabilities, added to dprob (E).
template <typename S>
void add_choice_dprobs(bool normalize, const S* dweight, const S* weight, const S* probs,
                       const int32_t* chosen, int64_t k, S* dprob) {
  S mean = 0, chosen_sum = 1;
  if (normalize) {  // w = p / sum(p): dp = (dw - sum(w dw)) / sum(p)
    chosen_sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      mean += dweight[j] * weight[j];
      chosen_sum += probs[chosen[j]];
    }
  }
  for (int64_t j = 0; j < k; ++j) dprob[chosen[j]] += (dweight[j] - mean) / chosen_sum;
}

// The same with respect to the chosen logits when the weights are their softmax; to dlogit (E).
template <typename S>
void add_choice_dlogits(const S* dweight, const S* weight, const int32_t* chosen, int64_t k,
                        S* dlogit) {
  S mean = 0;
  for (int64_t j = 0; j < k; ++j) mean += dweight[j] * weight[j];
  for (int64_t j = 0; j < k; ++j) dlogit[chosen[j]] += weight[j] * (dweight[j] - mean);
}

}  // namespace

template <>
void detail::router_backward<Device::cpu>(RouterOrder order, bool normalize, const Tensor& dweights,
                                          const Tensor& probs, const Tensor& experts,
                                          const Tensor& weights, const Tensor& dprobs,
                                          const Tensor& lse, double z_factor, const Tensor& mask,
                                          const Tensor& dlogits) {
  dispatch_statistic(probs.dtype(), [&]<typename S>() {
    const int64_t num_experts = probs.dim(1), k = experts.dim(1);
    for_rows(probs.dim(0), num_experts, [&](int64_t t) {
      const S* prob = probs.data<S>() + t * num_experts;  // (E)
      const S* dweight = dweights.data<S>() + t * k;      // (k)
      const S* weight = weights.data<S>() + t * k;        // (k)
      const int32_t* chosen = experts.data<int32_t>() + t * k;
      S* grad = dlogits.data<S>() + t * num_experts;  // (E), first of the probabilities
      for (int64_t e = 0; e < num_experts; ++e) {
        grad[e] = dprobs.defined() ? dprobs.data<S>()[t * num_experts + e] : S(0);
      }
      const bool of_logits = order == RouterOrder::topk_then_softmax;
      if (!of_logits) add_choice_dprobs(normalize, dweight, weight, prob, chosen, k, grad);
      S mean = 0;
      for (int64_t e = 0; e < num_experts; ++e) mean += prob[e] * grad[e];
      S dlse = 0;  // of the z loss; d(lse)/d(logits) is the softmax
      if (z_factor != 0) {
        dlse = static_cast<S>(2 * z_factor) * lse.data<S>()[t] * mask.data<S>()[t];
      }
      for (int64_t e = 0; e < num_experts; ++e) grad[e] = prob[e] * (grad[e] - mean + dlse);
      if (of_logits) add_choice_dlogits(dweight, weight, chosen, k, grad);
    });
  });
}

template <>
void detail::router_statistics<Device::cpu>(const Tensor& probs, const Tensor& experts,
                                            int64_t first_row, int64_t rows_per_sequence,
                                            const Tensor& counts, const Tensor& prob_sums) {
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
#pragma omp simd
        for (int64_t e = begin; e < end; ++e) to[e] += prob[e];
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
