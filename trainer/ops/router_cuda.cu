// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A warp has a token: its lanes share the experts, its first lane does what is one by one (a
// handful of choices), by the formulas of router_choice.h.
#include <limits>

#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/router.h"
#include "trainer/ops/router_choice.h"

namespace argosy::ops {
namespace {

constexpr int kTokenThreads = 128, kTokenWarps = kTokenThreads / kWarp;
constexpr int64_t kMostExperts = 1024;  // a lane marks its experts in 32 bits

__device__ int64_t token_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kTokenWarps + warp_of_thread();
}
// This warp's part of shared memory.
__device__ float* floats_of_warp(int64_t size) {
  return shared_memory<float>() + warp_of_thread() * size;
}
int64_t floats_bytes(int64_t size) {
  return kTokenWarps * size * static_cast<int64_t>(sizeof(float));
}

struct RouterOperands {
  RouterRule rule;
  const float *logits, *bias;  // bias: or null
  float* probs;
  int32_t* experts;
  float *weights, *sums;
  int64_t num_tokens, num_experts, k;
};

// probs (E) of one token; returns what `sums` is to be.
__device__ float score_token(const RouterOperands& r, const float* x, float* probs) {
  float sum = 0;
  if (r.rule.scoring == ScoringFunction::sigmoid) {
    for (int64_t e = lane_of_thread(); e < r.num_experts; e += kWarp) {
      probs[e] = 1 / (1 + expf(-x[e]));
      sum += probs[e];
    }
    return warp_sum(sum);
  }
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t e = lane_of_thread(); e < r.num_experts; e += kWarp) largest = fmaxf(largest, x[e]);
  largest = warp_max(largest);
  for (int64_t e = lane_of_thread(); e < r.num_experts; e += kWarp) {
    probs[e] = expf(x[e] - largest);
    sum += probs[e];
  }
  sum = warp_sum(sum);
  for (int64_t e = lane_of_thread(); e < r.num_experts; e += kWarp) probs[e] /= sum;
  return largest + logf(sum);
}

// Experts outside of the best groups leave the running. of_group (num_groups): scratch.
__device__ void limit_to_groups(const RouterRule& rule, int64_t num_experts, float* score,
                                float* of_group) {
  const int64_t size = num_experts / rule.num_groups;
  for (int64_t g = lane_of_thread(); g < rule.num_groups; g += kWarp)
    of_group[g] = group_score(score + g * size, size);
  __syncwarp();
  for (int64_t e = lane_of_thread(); e < num_experts; e += kWarp) {
    const int64_t own = e / size;
    int64_t better = 0;  // groups before this one
    for (int64_t g = 0; g < rule.num_groups; ++g) {
      const bool is_first =
          of_group[g] > of_group[own] || (of_group[g] == of_group[own] && g < own);
      better += g != own && is_first ? 1 : 0;
    }
    if (better >= rule.top_groups) score[e] = -std::numeric_limits<float>::infinity();
  }
  __syncwarp();
}

// The expert of the largest score that is not taken, the lower of equal ones. taken: a bit for each
// of this lane's experts.
__device__ int32_t take_best(const float* score, int64_t num_experts, unsigned& taken) {
  float value = 0;
  int32_t best = -1;
  for (int64_t e = lane_of_thread(); e < num_experts; e += kWarp) {
    if ((taken >> (e / kWarp) & 1u) != 0) continue;
    if (best < 0 || score[e] > value) {
      value = score[e];
      best = static_cast<int32_t>(e);
    }
  }
#pragma unroll
  for (int bit = kWarp / 2; bit > 0; bit /= 2) {
    const float other_value = __shfl_xor_sync(kAllLanes, value, bit);
    const int32_t other = __shfl_xor_sync(kAllLanes, best, bit);
    const bool is_better =
        best < 0 || other_value > value || (other_value == value && other < best);
    if (other >= 0 && is_better) {
      value = other_value;
      best = other;
    }
  }
  best = __shfl_sync(kAllLanes, best, 0);  // one answer, also where scores are no numbers
  if (best % kWarp == lane_of_thread()) taken |= 1u << (best / kWarp);
  return best;
}

__global__ void router_forward_kernel(RouterOperands r) {
  const int64_t t = token_of_warp();
  if (t >= r.num_tokens) return;
  const float* x = r.logits + t * r.num_experts;
  float* probs = r.probs + t * r.num_experts;
  const float sum = score_token(r, x, probs);
  if (lane_of_thread() == 0) r.sums[t] = sum;
  // By logits where that is the order of the probabilities: distinct ones may round to one.
  const bool by_logits = r.bias == nullptr && r.rule.num_groups == 1;
  float* score = floats_of_warp(r.num_experts + r.rule.num_groups);
  for (int64_t e = lane_of_thread(); e < r.num_experts; e += kWarp)
    score[e] = by_logits ? x[e] : probs[e] + (r.bias == nullptr ? 0.0f : r.bias[e]);
  __syncwarp();
  if (r.rule.num_groups > 1) limit_to_groups(r.rule, r.num_experts, score, score + r.num_experts);
  int32_t* chosen = r.experts + t * r.k;
  unsigned taken = 0;
  for (int64_t j = 0; j < r.k; ++j) {
    const int32_t best = take_best(score, r.num_experts, taken);
    if (lane_of_thread() == 0) chosen[j] = best;
  }
  __syncwarp();
  if (lane_of_thread() == 0) choice_weights(r.rule, x, probs, chosen, r.k, r.weights + t * r.k);
}

struct RouterGradients {
  RouterRule rule;
  const float *dweights, *probs;
  const int32_t* experts;
  const float *weights, *dshares, *sums, *mask;  // dshares: or null
  float* dlogits;
  float z_factor;
  int64_t num_tokens, num_experts, k;
};

// The sum over the experts of a[e] * b[e].
__device__ float warp_dot(const float* a, const float* b, int64_t size) {
  float sum = 0;
  for (int64_t e = lane_of_thread(); e < size; e += kWarp) sum += a[e] * b[e];
  return warp_sum(sum);
}

__global__ void router_backward_kernel(RouterGradients r) {
  const int64_t t = token_of_warp(), num_experts = r.num_experts, lane = lane_of_thread();
  if (t >= r.num_tokens) return;
  const float *probs = r.probs + t * num_experts, *dweight = r.dweights + t * r.k;
  const float* weight = r.weights + t * r.k;
  const int32_t* chosen = r.experts + t * r.k;
  const bool is_sigmoid = r.rule.scoring == ScoringFunction::sigmoid;
  float* grad = floats_of_warp(num_experts);  // first of the probabilities, then of the logits
  for (int64_t e = lane; e < num_experts; e += kWarp)
    grad[e] = r.dshares == nullptr ? 0.0f : r.dshares[t * num_experts + e];
  __syncwarp();
  if (is_sigmoid && r.dshares != nullptr) {  // of scores over their sum
    const float mean = warp_dot(probs, grad, num_experts) / r.sums[t];
    for (int64_t e = lane; e < num_experts; e += kWarp) grad[e] = (grad[e] - mean) / r.sums[t];
    __syncwarp();
  }
  if (lane == 0 && !r.rule.from_logits())
    add_choice_dprobs(r.rule, dweight, probs, chosen, r.k, grad);
  __syncwarp();
  if (is_sigmoid) {
    for (int64_t e = lane; e < num_experts; e += kWarp) grad[e] *= probs[e] * (1 - probs[e]);
  } else {
    const float dlse = r.z_factor == 0 ? 0.0f : 2 * r.z_factor * r.sums[t] * r.mask[t];
    const float mean = warp_dot(probs, grad, num_experts);
    for (int64_t e = lane; e < num_experts; e += kWarp)
      grad[e] = probs[e] * (grad[e] - mean + dlse);
    __syncwarp();
    if (lane == 0 && r.rule.from_logits())
      add_choice_dlogits(r.rule, dweight, weight, chosen, r.k, grad);
  }
  __syncwarp();
  for (int64_t e = lane; e < num_experts; e += kWarp) r.dlogits[t * num_experts + e] = grad[e];
}

void check_experts(int64_t num_experts) {
  if (num_experts > kMostExperts)
    throw ConfigError(
        concat(num_experts, " experts: --device cuda routes to at most ", kMostExperts));
}

// As float*, or null.
const float* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<float>() : nullptr;
}

}  // namespace

template <>
void detail::router_forward<Device::cuda>(const RouterRule& rule, const Tensor& logits,
                                          const Tensor& bias, const Tensor& probs,
                                          const Tensor& experts, const Tensor& weights,
                                          const Tensor& sums) {
  refuse_fp64(logits.dtype());
  const int64_t num_tokens = logits.dim(0), num_experts = logits.dim(1);
  check_experts(num_experts);
  const RouterOperands r{rule,
                         logits.data<float>(),
                         data_or_null(bias),
                         probs.data<float>(),
                         experts.data<int32_t>(),
                         weights.data<float>(),
                         sums.data<float>(),
                         num_tokens,
                         num_experts,
                         experts.dim(1)};
  launch(cuda_of(logits), "router_forward", router_forward_kernel,
         {blocks_of(ceil_div(num_tokens, kTokenWarps)), kTokenThreads,
          floats_bytes(num_experts + rule.num_groups)},
         r);
}

template <>
void detail::router_backward<Device::cuda>(const RouterRule& rule, const Tensor& dweights,
                                           const Tensor& probs, const Tensor& experts,
                                           const Tensor& weights, const Tensor& dshares,
                                           const Tensor& sums, double z_factor, const Tensor& mask,
                                           const Tensor& dlogits) {
  const int64_t num_tokens = probs.dim(0), num_experts = probs.dim(1);
  const RouterGradients r{rule,
                          dweights.data<float>(),
                          probs.data<float>(),
                          experts.data<int32_t>(),
                          weights.data<float>(),
                          data_or_null(dshares),
                          sums.data<float>(),
                          data_or_null(mask),
                          dlogits.data<float>(),
                          static_cast<float>(z_factor),
                          num_tokens,
                          num_experts,
                          experts.dim(1)};
  launch(cuda_of(probs), "router_backward", router_backward_kernel,
         {blocks_of(ceil_div(num_tokens, kTokenWarps)), kTokenThreads, floats_bytes(num_experts)},
         r);
}

}  // namespace argosy::ops
