// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <cmath>

#include "planner/spec/split_float.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {

namespace {

// What differs from part to part and from step to step, beside AdamwFactors.
template <typename M>
struct PartFactors {
  M grad_scale, keep;
};

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
void adamw_block(const AdamwFactors<M>& f, const PartFactors<M>& part, const M* grads,
                 const Weights& weights, M* exp_avg, M* exp_avg_sq, int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const M g = grads[i] * part.grad_scale;
    const M m = exp_avg[i] + f.one_minus_beta1 * (g - exp_avg[i]);
    const M v = f.beta2 * exp_avg_sq[i] + f.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights.set(i, weights.get(i) * part.keep -
                       f.step_size * m / (std::sqrt(v) * f.inv_sqrt_correction2 + f.eps));
  }
}

// body(M{}, weights): M is the type of the update.
template <typename Body>
void dispatch_update(const UpdatePart& part, const Body& body) {
  switch (part.params.dtype()) {
    case DType::fp64:
      return body(double{}, PlainWeights<double>{part.params.data<double>()});
    case DType::fp32:
      return body(float{}, PlainWeights<float>{part.params.data<float>()});
    default:
      return body(float{}, SplitWeights{part.params.data<bfloat16>(), part.rest.data<int16_t>()});
  }
}

double scale_of(const Tensor& grad_scale) {
  return grad_scale.defined() ? *grad_scale.data<double>() : 1.0;
}

}  // namespace

template <>
void detail::adamw_update<Device::cpu>(const AdamwStep& step, const Tensor& numbers,
                                       std::span<const UpdatePart> parts,
                                       const Tensor& grad_scale) {
  const double scale = scale_of(grad_scale);
  if (!is_finite(scale)) return;
  for (const UpdatePart& part : parts) {
    dispatch_update(part, [&]<typename M, typename Weights>(M, const Weights& weights) {
      AdamwFactors<M> factors(step);
      factors.read(numbers.data<double>());
      const PartFactors<M> of_part{
          static_cast<M>(scale),
          static_cast<M>(kept_by_decay(numbers.data<double>()[at_lr], part.weight_decay))};
      for_elements(part.params.size(), [&](int64_t begin, int64_t end) {
        adamw_block(factors, of_part, part.grads.data<M>(), weights, part.exp_avg.data<M>(),
                    part.exp_avg_sq.data<M>(), begin, end);
      });
    });
  }
}

template <>
void detail::sgd_update<Device::cpu>(const Tensor& numbers, std::span<const UpdatePart> parts,
                                     const Tensor& grad_scale) {
  const double learning_rate = numbers.data<double>()[at_lr];
  const double factor = scale_of(grad_scale);
  if (!is_finite(factor)) return;
  for (const UpdatePart& part : parts) {
    dispatch_update(part, [&]<typename M, typename Weights>(M, const Weights& weights) {
      const M lr = static_cast<M>(learning_rate), decay = static_cast<M>(part.weight_decay);
      const M scale = static_cast<M>(factor);
      const M* grad = part.grads.data<M>();
      for_elements(part.params.size(), [&](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; ++i) {
          const M w = weights.get(i);
          weights.set(i, w - lr * (grad[i] * scale + decay * w));
        }
      });
    });
  }
}

template <>
void detail::gradient_scale<Device::cpu>(const GradientTotals& totals, double clip,
                                         const Tensor& scale) {
  const double num_targets = std::max(*totals.num_targets.data<double>(), 1.0);
  const double norm = std::sqrt(*totals.sum_of_squares.data<double>()) / num_targets;
  *scale.data<double>() =
      gradient_scale_of(norm, num_targets, *totals.loss_sum.data<double>(), clip);
}

}  // namespace argosy::ops
