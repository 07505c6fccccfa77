// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {

namespace {

// Elements [begin, end): p *= 1 - lr*decay; m += (1 - beta1)(g - m); v = beta2 v + (1 - beta2) g^2;
// p -= lr/(1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps).
template <typename M>
void adamw_block(const AdamwFactors<M>& f, const M* grads, M* weights, M* exp_avg, M* exp_avg_sq,
                 int64_t begin, int64_t end) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const M g = grads[i] * f.grad_scale;
    const M m = exp_avg[i] + f.one_minus_beta1 * (g - exp_avg[i]);
    const M v = f.beta2 * exp_avg_sq[i] + f.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights[i] =
        weights[i] * f.keep - f.step_size * m / (std::sqrt(v) * f.inv_sqrt_correction2 + f.eps);
  }
}

// Calls update(begin, end, weights) for blocks of the weights that carry the update, then rewrites
// the parameters from the master while the block is in the cache.
template <typename M, typename Update>
void for_weights(const Tensor& params, const Tensor& master, const Update& update) {
  dispatch_float(params.dtype(), [&]<typename T>() {
    M* weights = master.defined() ? master.data<M>() : params.data<M>();
    for_elements(params.size(), [&](int64_t begin, int64_t end) {
      update(begin, end, weights);
      if (!master.defined()) return;
      T* to = params.data<T>();
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) store(to[i], weights[i]);
    });
  });
}

// body.template operator()<M>() with the type of the update: that of the gradients.
template <typename Body>
void dispatch_update(const Tensor& grads, const Body& body) {
  if (grads.dtype() == DType::fp64) {
    body.template operator()<double>();
  } else {
    body.template operator()<float>();
  }
}

}  // namespace

template <>
void detail::adamw_update<Device::cpu>(const AdamwStep& step, const Tensor& grads,
                                       const Tensor& params, const Tensor& master,
                                       const Tensor& exp_avg, const Tensor& exp_avg_sq) {
  dispatch_update(grads, [&]<typename M>() {
    const AdamwFactors<M> factors(step);
    for_weights<M>(params, master, [&](int64_t begin, int64_t end, M* weights) {
      adamw_block(factors, grads.data<M>(), weights, exp_avg.data<M>(), exp_avg_sq.data<M>(), begin,
                  end);
    });
  });
}

template <>
void detail::sgd_update<Device::cpu>(const SgdStep& step, const Tensor& grads, const Tensor& params,
                                     const Tensor& master) {
  dispatch_update(grads, [&]<typename M>() {
    const M lr = static_cast<M>(step.lr), decay = static_cast<M>(step.weight_decay);
    const M grad_scale = static_cast<M>(step.grad_scale);
    for_weights<M>(params, master, [&](int64_t begin, int64_t end, M* weights) {
      const M* grad = grads.data<M>();
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        weights[i] -= lr * (grad[i] * grad_scale + decay * weights[i]);
      }
    });
  });
}

}  // namespace argosy::ops
