// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One launch for a list of parts: gradients, weights and moments are read and written once.
#include <vector>

#include "trainer/ops/checks.h"
#include "trainer/ops/cuda_parts.cuh"
#include "trainer/ops/update.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {
namespace {

constexpr int kUpdateThreads = 256;
// Elements of a part that a block updates: several rounds of its threads.
constexpr int64_t kUpdateChunk = 8192;

// As in update_cpu.cpp: weights in fp32, or rounded to bf16 beside the rest of their masters
// (planner/spec/split_float.h, whose functions a device does not have).
struct PlainWeights {
  using Narrowest = float;
  float* weights;
  template <int kSize>
  __device__ void get(int64_t i, float (&w)[kSize]) const {
    load(weights + i, w);
  }
  template <int kSize>
  __device__ void set(int64_t i, const float (&w)[kSize]) const {
    store(weights + i, w);
  }
};

struct SplitWeights {
  using Narrowest = bfloat16;
  bfloat16* rounded;
  int16_t* rest;  // moved as bit patterns of the same width
  template <int kSize>
  __device__ void get(int64_t i, float (&w)[kSize]) const {
    float low[kSize];
    load(rounded + i, w);
    load(reinterpret_cast<const bfloat16*>(rest + i), low);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const int steps = static_cast<int>(__float_as_uint(low[j])) >> 16;  // keeps the sign
      w[j] = __uint_as_float(__float_as_uint(w[j]) + static_cast<unsigned>(steps));
    }
  }
  template <int kSize>
  __device__ void set(int64_t i, const float (&w)[kSize]) const {
    int16_t steps[kSize];
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const unsigned high = __float_as_uint(to_float(from_float<bfloat16>(w[j])));
      const int distance = static_cast<int>(__float_as_uint(w[j]) - high);
      steps[j] =
          static_cast<int16_t>(distance < -32768 ? -32768 : (distance > 32767 ? 32767 : distance));
    }
    store(rounded + i, w);
    store_words(steps, i);
  }

 private:
  template <int kSize>
  __device__ void store_words(const int16_t (&steps)[kSize], int64_t i) const {
    if constexpr (kSize == kPack<bfloat16>) {
      const auto pair = [&](int j) {
        return static_cast<unsigned>(static_cast<uint16_t>(steps[j])) |
               static_cast<unsigned>(static_cast<uint16_t>(steps[j + 1])) << 16;
      };
      *reinterpret_cast<uint4*>(rest + i) = {pair(0), pair(2), pair(4), pair(6)};
    } else {
#pragma unroll
      for (int j = 0; j < kSize; ++j) rest[i + j] = steps[j];
    }
  }
};

template <typename Weights>
struct WeightsPart {
  const float* grads;
  float *exp_avg, *exp_avg_sq;
  Weights weights;
  int64_t size;
  double decay;
  bool aligned;
};

template <typename Weights>
struct Adamw {
  AdamwFactors<float> f;
  // With the numbers of the step: what remains of a part's weights.
  __device__ float begin(const double* numbers, double decay) {
    f.read(numbers);
    return static_cast<float>(kept_by_decay(numbers[at_lr], decay));
  }
  template <int kSize>
  __device__ void run(const WeightsPart<Weights>& part, float keep, float grad_scale,
                      int64_t i) const {
    float g[kSize], w[kSize], m[kSize], v[kSize];
    load(part.grads + i, g);
    part.weights.get(i, w);
    load(part.exp_avg + i, m);
    load(part.exp_avg_sq + i, v);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float grad = g[j] * grad_scale;
      m[j] += f.one_minus_beta1 * (grad - m[j]);
      v[j] = f.beta2 * v[j] + f.one_minus_beta2 * grad * grad;
      w[j] = w[j] * keep - f.step_size * m[j] / (sqrtf(v[j]) * f.inv_sqrt_correction2 + f.eps);
    }
    part.weights.set(i, w);
    store(part.exp_avg + i, m);
    store(part.exp_avg_sq + i, v);
  }
};

template <typename Weights>
struct Sgd {
  float lr = 0;
  __device__ float begin(const double* numbers, double decay) {
    lr = static_cast<float>(numbers[at_lr]);
    return static_cast<float>(decay);
  }
  template <int kSize>
  __device__ void run(const WeightsPart<Weights>& part, float decay, float grad_scale,
                      int64_t i) const {
    float g[kSize], w[kSize];
    load(part.grads + i, g);
    part.weights.get(i, w);
#pragma unroll
    for (int j = 0; j < kSize; ++j) w[j] -= lr * (g[j] * grad_scale + decay * w[j]);
    part.weights.set(i, w);
  }
};

// grad_scale: null for 1. Every thread reads it and the step's numbers: they are in the cache after
// the first.
template <int kSize, typename Weights, typename Op>
__global__ void update_kernel(const __grid_constant__ PartTable<WeightsPart<Weights>> table, Op op,
                              const double* numbers, const double* grad_scale) {
  const double scale = grad_scale == nullptr ? 1.0 : *grad_scale;
  if (!is_finite(scale)) return;
  const float factor = static_cast<float>(scale);
  const PartChunk chunk = chunk_of_block(table, kUpdateChunk);
  const WeightsPart<Weights>& part = table.parts[chunk.part];
  const float of_weights = op.begin(numbers, part.decay);
  const int64_t wide =
      part.aligned ? chunk.begin + (chunk.end - chunk.begin) / kSize * kSize : chunk.begin;
  for (int64_t i = chunk.begin + threadIdx.x * kSize; i < wide; i += kUpdateThreads * kSize) {
    op.template run<kSize>(part, of_weights, factor, i);
  }
  for (int64_t i = wide + threadIdx.x; i < chunk.end; i += kUpdateThreads) {
    op.template run<1>(part, of_weights, factor, i);
  }
}

template <typename Weights>
Weights weights_of(const UpdatePart& part);
template <>
PlainWeights weights_of<PlainWeights>(const UpdatePart& part) {
  return {part.params.data<float>()};
}
template <>
SplitWeights weights_of<SplitWeights>(const UpdatePart& part) {
  return {part.params.data<bfloat16>(), part.rest.data<int16_t>()};
}

template <typename Weights>
WeightsPart<Weights> part_of(const UpdatePart& part) {
  return {part.grads.data<float>(),
          part.exp_avg.data<float>(),
          part.exp_avg_sq.data<float>(),
          weights_of<Weights>(part),
          part.params.size(),
          part.weight_decay,
          are_aligned(part.grads.raw(), part.params.raw(), part.rest.raw(), part.exp_avg.raw(),
                      part.exp_avg_sq.raw())};
}

// make_op.template operator()<Weights>() is the Op of all parts.
template <typename MakeOp>
void update(const char* name, const Tensor& numbers, std::span<const UpdatePart> parts,
            const Tensor& grad_scale, const MakeOp& make_op) {
  const CudaDevice& device = cuda_of(parts.front().params);
  const double* scale = grad_scale.defined() ? grad_scale.data<double>() : nullptr;
  const auto run = [&]<typename Weights>() {
    constexpr int kSize = kPack<typename Weights::Narrowest>;
    const auto op = make_op.template operator()<Weights>();
    std::vector<WeightsPart<Weights>> list;
    list.reserve(parts.size());
    for (const UpdatePart& part : parts) list.push_back(part_of<Weights>(part));
    for_part_tables(list, kUpdateChunk, [&](const auto& table) {
      launch(device, name, update_kernel<kSize, Weights, std::remove_const_t<decltype(op)>>,
             {blocks_of(table.num_chunks), kUpdateThreads}, table, op, numbers.data<double>(),
             scale);
    });
  };
  if (parts.front().rest.defined()) {
    run.template operator()<SplitWeights>();
  } else {
    check_dtype("params", parts.front().params, DType::fp32);
    run.template operator()<PlainWeights>();
  }
}

__global__ void gradient_scale_kernel(const double* num_targets, const double* loss_sum,
                                      const double* sum_of_squares, double clip, double* scale) {
  if (threadIdx.x != 0) return;
  const double count = max(*num_targets, 1.0);
  *scale = gradient_scale_of(sqrt(*sum_of_squares) / count, count, *loss_sum, clip);
}

}  // namespace

template <>
void detail::adamw_update<Device::cuda>(const AdamwStep& step, const Tensor& numbers,
                                        std::span<const UpdatePart> parts,
                                        const Tensor& grad_scale) {
  update("adamw_update", numbers, parts, grad_scale,
         [&]<typename Weights>() { return Adamw<Weights>{AdamwFactors<float>(step)}; });
}

template <>
void detail::sgd_update<Device::cuda>(const Tensor& numbers, std::span<const UpdatePart> parts,
                                      const Tensor& grad_scale) {
  update("sgd_update", numbers, parts, grad_scale,
         [&]<typename Weights>() { return Sgd<Weights>{}; });
}

template <>
void detail::gradient_scale<Device::cuda>(const GradientTotals& totals, double clip,
                                          const Tensor& scale) {
  launch(cuda_of(scale), "gradient_scale", gradient_scale_kernel, {blocks_of(1), kWarp},
         totals.num_targets.data<double>(), totals.loss_sum.data<double>(),
         totals.sum_of_squares.data<double>(), clip, scale.data<double>());
}

}  // namespace argosy::ops
