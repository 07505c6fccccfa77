// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>

#include "planner/spec/split_float.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {

namespace {

// Where the update finds its weights: in M as they are, or rounded to bf16 beside the rest of their
// masters.
template <typename M>
struct PlainWeights {
  M* weights;
  [[gnu::always_inline]] M get(int64_t i) const { return weights[i]; }
  [[gnu::always_inline]] void set(int64_t i, M value) const { weights[i] = value; }
};
struct SplitWeights {
  bfloat16* rounded;
  int16_t* rest;
  [[gnu::always_inline]] float get(int64_t i) const { return join_float(rounded[i], rest[i]); }
  [[gnu::always_inline]] void set(int64_t i, float value) const {
    const bfloat16 to(value);
    rounded[i].bits = to.bits;  // gcc 12 vectorises no store of a whole bfloat16
    rest[i] = rest_of_float(value, to);
  }
};

// p *= 1 - lr*decay; m += (1 - beta1)(g - m); v = beta2 v + (1 - beta2) g^2;
// p -= lr/(1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps).
template <typename M, typename Weights>
void adamw_block(const AdamwFactors<M>& f, const M* grads, const Weights& weights, M* exp_avg,
                 M* exp_avg_sq, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const M g = grads[i] * f.grad_scale;
    const M m = exp_avg[i] + f.one_minus_beta1 * (g - exp_avg[i]);
    const M v = f.beta2 * exp_avg_sq[i] + f.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights.set(i, weights.get(i) * f.keep -
                       f.step_size * m / (std::sqrt(v) * f.inv_sqrt_correction2 + f.eps));
  }
}

// body(M{}, weights): M is the type of the update.
template <typename Body>
void dispatch_update(const Tensor& params, const Tensor& rest, const Body& body) {
  switch (params.dtype()) {
    case DType::fp64:
      return body(double{}, PlainWeights<double>{params.data<double>()});
    case DType::fp32:
      return body(float{}, PlainWeights<float>{params.data<float>()});
    default:
      return body(float{}, SplitWeights{params.data<bfloat16>(), rest.data<int16_t>()});
  }
}

}  // namespace

template <>
void detail::adamw_update<Device::cpu>(const AdamwStep& step, const Tensor& grads,
                                       const Tensor& params, const Tensor& rest,
                                       const Tensor& exp_avg, const Tensor& exp_avg_sq) {
  dispatch_update(params, rest, [&]<typename M, typename Weights>(M, const Weights& weights) {
    const AdamwFactors<M> factors(step);
    for_elements(params.size(), [&](int64_t begin, int64_t end) {
      adamw_block(factors, grads.data<M>(), weights, exp_avg.data<M>(), exp_avg_sq.data<M>(), begin,
                  end);
    });
  });
}

template <>
void detail::sgd_update<Device::cpu>(const SgdStep& step, const Tensor& grads, const Tensor& params,
                                     const Tensor& rest) {
  dispatch_update(params, rest, [&]<typename M, typename Weights>(M, const Weights& weights) {
    const M lr = static_cast<M>(step.lr), decay = static_cast<M>(step.weight_decay);
    const M grad_scale = static_cast<M>(step.grad_scale);
    const M* grad = grads.data<M>();
    for_elements(params.size(), [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        const M w = weights.get(i);
        weights.set(i, w - lr * (grad[i] * grad_scale + decay * w));
      }
    });
  });
}

}  // namespace argosy::ops
