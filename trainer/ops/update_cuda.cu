// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One launch for a whole range, whatever tensors lie in it: gradients, weights and moments are read
// and written once.
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {
namespace {

// weights: the master, or the parameters where there is none; params: bf16, or null.
template <bool kHasMaster, typename T>
struct Adamw {
  AdamwFactors<float> f;
  const float* grads;
  float *weights, *exp_avg, *exp_avg_sq;
  T* params;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], w[kSize], m[kSize], v[kSize];
    load(grads + i, g);
    load(weights + i, w);
    load(exp_avg + i, m);
    load(exp_avg_sq + i, v);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float grad = g[j] * f.grad_scale;
      m[j] += f.one_minus_beta1 * (grad - m[j]);
      v[j] = f.beta2 * v[j] + f.one_minus_beta2 * grad * grad;
      w[j] = w[j] * f.keep - f.step_size * m[j] / (sqrtf(v[j]) * f.inv_sqrt_correction2 + f.eps);
    }
    store(weights + i, w);
    store(exp_avg + i, m);
    store(exp_avg_sq + i, v);
    if constexpr (kHasMaster) store(params + i, w);
  }
};

template <bool kHasMaster, typename T>
struct Sgd {
  float lr, decay, grad_scale;
  const float* grads;
  float* weights;
  T* params;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float g[kSize], w[kSize];
    load(grads + i, g);
    load(weights + i, w);
#pragma unroll
    for (int j = 0; j < kSize; ++j) w[j] -= lr * (g[j] * grad_scale + decay * w[j]);
    store(weights + i, w);
    if constexpr (kHasMaster) store(params + i, w);
  }
};

// Calls body.template operator()<kHasMaster, T>() with the type of the parameters.
template <typename Body>
void dispatch_weights(const Tensor& params, const Tensor& master, const Body& body) {
  dispatch_cuda(params.dtype(), [&]<typename T>() {
    if (master.defined()) {
      body.template operator()<true, T>();
    } else {
      body.template operator()<false, T>();
    }
  });
}

}  // namespace

template <>
void detail::adamw_update<Device::cuda>(const AdamwStep& step, const Tensor& grads,
                                        const Tensor& params, const Tensor& master,
                                        const Tensor& exp_avg, const Tensor& exp_avg_sq) {
  dispatch_weights(params, master, [&]<bool kHasMaster, typename T>() {
    const Adamw<kHasMaster, T> op{AdamwFactors<float>(step),
                                  grads.data<float>(),
                                  (kHasMaster ? master : params).template data<float>(),
                                  exp_avg.data<float>(),
                                  exp_avg_sq.data<float>(),
                                  params.data<T>()};
    const bool aligned = are_aligned(op.grads, op.weights, op.exp_avg, op.exp_avg_sq, op.params);
    for_elements<kHasMaster ? kPack<T> : kPack<float>>(cuda_of(params), "adamw_update",
                                                       params.size(), aligned, op);
  });
}

template <>
void detail::sgd_update<Device::cuda>(const SgdStep& step, const Tensor& grads,
                                      const Tensor& params, const Tensor& master) {
  dispatch_weights(params, master, [&]<bool kHasMaster, typename T>() {
    const Sgd<kHasMaster, T> op{static_cast<float>(step.lr),
                                static_cast<float>(step.weight_decay),
                                static_cast<float>(step.grad_scale),
                                grads.data<float>(),
                                (kHasMaster ? master : params).template data<float>(),
                                params.data<T>()};
    const bool aligned = are_aligned(op.grads, op.weights, op.params);
    for_elements<kHasMaster ? kPack<T> : kPack<float>>(cuda_of(params), "sgd_update", params.size(),
                                                       aligned, op);
  });
}

}  // namespace argosy::ops
