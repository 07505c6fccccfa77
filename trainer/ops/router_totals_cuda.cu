// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Sums of a step stay on the device: one block each, in an order that follows from the shape alone.
// What is learnt from a step's choices, once a step, is the CPU's op on a copy.
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/router_totals.h"

namespace argosy::ops::detail {
namespace {

// Tensors of the device on the host.
class OnHost {
 public:
  Tensor operator()(const Tensor& x) {
    const Tensor copy = host_.empty(x.shape(), x.dtype(), MemoryCategory::workspace);
    backend_of(x).download(x.raw(), copy.raw(), x.bytes());
    return copy;
  }

 private:
  DeviceContext host_{Device::cpu};
};

constexpr int kTotalThreads = 256;

__global__ void add_choices_kernel(const float* counts, int64_t sequences, int64_t experts,
                                   double* totals) {
  for (int64_t e = threadIdx.x; e < experts; e += blockDim.x) {
    double sum = 0;
    for (int64_t b = 0; b < sequences; ++b) sum += static_cast<double>(counts[b * experts + e]);
    totals[e] += sum;
  }
}

__global__ void add_aux_loss_kernel(const float* counts, const float* prob_sums,
                                    const float* unmasked, int64_t size, int64_t experts,
                                    double choices, double seq_len, double* total) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    sum += static_cast<double>(unmasked[i / experts]) * static_cast<double>(experts) *
           (static_cast<double>(counts[i]) / choices * static_cast<double>(prob_sums[i]) / seq_len);
  }
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *total += sum;
}

__global__ void add_z_loss_kernel(const float* lse, const float* mask, int64_t size,
                                  double* total) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    const double value = static_cast<double>(lse[i]);
    sum += static_cast<double>(mask[i]) * value * value;
  }
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *total += sum;
}

Grid one_block() {
  return {blocks_of(1), kTotalThreads, kWarp * static_cast<int64_t>(sizeof(double))};
}

struct SpreadShares {
  const float* shares;
  double factor;
  float* counts;
  int64_t num_experts;
  template <int kSize>
  __device__ void run(int64_t i) const {
    counts[i] = static_cast<float>(factor * static_cast<double>(shares[i % num_experts]));
  }
};

}  // namespace

template <>
void add_choices<Device::cuda>(const Tensor& counts, double* totals) {
  launch(cuda_of(counts), "add_choices", add_choices_kernel, one_block(), counts.data<float>(),
         counts.dim(0), counts.dim(1), totals);
}

template <>
void add_aux_loss<Device::cuda>(const Tensor& counts, const Tensor& prob_sums,
                                const Tensor& unmasked, int64_t top_k, int64_t seq_len,
                                double* total) {
  launch(cuda_of(counts), "add_aux_loss", add_aux_loss_kernel, one_block(), counts.data<float>(),
         prob_sums.data<float>(), unmasked.data<float>(), counts.size(), counts.dim(1),
         static_cast<double>(seq_len * top_k), static_cast<double>(seq_len), total);
}

template <>
void add_z_loss<Device::cuda>(const Tensor& lse, const Tensor& mask, double* total) {
  launch(cuda_of(lse), "add_z_loss", add_z_loss_kernel, one_block(), lse.data<float>(),
         mask.data<float>(), lse.size(), total);
}

template <>
void spread_shares<Device::cuda>(const Tensor& shares, double factor, const Tensor& counts) {
  const SpreadShares op{shares.data<float>(), factor, counts.data<float>(), counts.dim(1)};
  for_elements<1>(cuda_of(counts), "spread_shares", counts.size(), false, op);
}

template <>
void assign_shares<Device::cuda>(const std::vector<double>& choices, const Tensor& shares) {
  OnHost on_host;
  const Tensor copy = on_host(shares);
  assign_shares<Device::cpu>(choices, copy);
  backend_of(shares).upload(copy.raw(), shares.raw(), shares.bytes());
}

template <>
void balance_bias<Device::cuda>(const std::vector<double>& choices, double rate,
                                const Tensor& bias) {
  OnHost on_host;
  const Tensor copy = on_host(bias);
  balance_bias<Device::cpu>(choices, rate, copy);
  backend_of(bias).upload(copy.raw(), bias.raw(), bias.bytes());
}

}  // namespace argosy::ops::detail
