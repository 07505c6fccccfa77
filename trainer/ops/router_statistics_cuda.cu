// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the auxiliary loss is made of: how often each expert was chosen in a sequence, and the sums
// of its probabilities there.
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/router.h"

namespace argosy::ops {
namespace {

// Rows of this rank, by sequence.
struct Sequences {
  int64_t num_rows, first_row, rows_per_sequence;
  __device__ int64_t begin(int64_t sequence) const {
    return min(num_rows, max(int64_t{0}, sequence * rows_per_sequence - first_row));
  }
};

// A block has a sequence and counts in shared memory; ints depend on no order.
constexpr int kStatisticThreads = 1024;
__global__ void __launch_bounds__(kStatisticThreads)
    count_choices_kernel(const int32_t* experts, Sequences sequences, int64_t k,
                         int64_t num_experts, float* counts) {
  int32_t* own = shared_memory<int32_t>();  // (num_experts)
  for (int64_t e = threadIdx.x; e < num_experts; e += kStatisticThreads) own[e] = 0;
  __syncthreads();
  const int64_t end = sequences.begin(blockIdx.x + 1) * k;
  for (int64_t i = sequences.begin(blockIdx.x) * k + threadIdx.x; i < end; i += kStatisticThreads) {
    require(experts[i] >= 0 && experts[i] < num_experts);
    atomicAdd(own + experts[i], 1);
  }
  __syncthreads();
  for (int64_t e = threadIdx.x; e < num_experts; e += kStatisticThreads)
    counts[blockIdx.x * num_experts + e] = static_cast<float>(own[e]);
}

// A block has a sequence and as many experts as a warp has lanes; its warps take the rows in turn,
// then their sums are added in order.
__global__ void __launch_bounds__(kStatisticThreads)
    sum_probs_kernel(const float* probs, const float* divisor, Sequences sequences,
                     int64_t num_experts, float* prob_sums) {
  constexpr int kWarps = kStatisticThreads / kWarp;
  float* of_warp = shared_memory<float>();  // (kWarps, kWarp)
  const int64_t e = static_cast<int64_t>(blockIdx.y) * kWarp + lane_of_thread();
  const int64_t end = sequences.begin(blockIdx.x + 1);
  float sum = 0;
  if (e < num_experts) {
    for (int64_t t = sequences.begin(blockIdx.x) + warp_of_thread(); t < end; t += kWarps)
      sum += probs[t * num_experts + e] / (divisor == nullptr ? 1.0f : divisor[t]);
  }
  of_warp[threadIdx.x] = sum;
  __syncthreads();
  if (warp_of_thread() != 0 || e >= num_experts) return;
  for (int warp = 1; warp < kWarps; ++warp) sum += of_warp[warp * kWarp + lane_of_thread()];
  prob_sums[blockIdx.x * num_experts + e] = sum;
}

struct AuxLossGradient {
  const float *counts, *unmasked;
  float* dprobs;
  float factor;
  int64_t num_experts, first_row, rows_per_sequence;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t sequence = (first_row + i / num_experts) / rows_per_sequence;
    dprobs[i] = factor * unmasked[sequence] * counts[sequence * num_experts + i % num_experts];
  }
};

}  // namespace

template <>
void detail::router_statistics<Device::cuda>(const Tensor& probs, const Tensor& divisor,
                                             const Tensor& experts, int64_t first_row,
                                             int64_t rows_per_sequence, const Tensor& counts,
                                             const Tensor& prob_sums) {
  const CudaDevice& device = cuda_of(probs);
  const int64_t num_sequences = counts.dim(0), num_experts = counts.dim(1);
  const Sequences sequences{probs.dim(0), first_row, rows_per_sequence};
  launch(device, "count_choices", count_choices_kernel,
         {blocks_of(num_sequences), kStatisticThreads,
          num_experts * static_cast<int64_t>(sizeof(int32_t))},
         experts.data<int32_t>(), sequences, experts.dim(1), num_experts, counts.data<float>());
  launch(device, "sum_probs", sum_probs_kernel,
         {blocks_of(num_sequences, ceil_div(num_experts, kWarp)), kStatisticThreads,
          kStatisticThreads * static_cast<int64_t>(sizeof(float))},
         probs.data<float>(), divisor.data<float>(), sequences, num_experts,
         prob_sums.data<float>());
}

template <>
void detail::aux_loss_backward<Device::cuda>(const Tensor& counts, const Tensor& unmasked,
                                             int64_t top_k, double coef, int64_t first_row,
                                             int64_t rows_per_sequence, int64_t seq_len,
                                             const Tensor& dprobs) {
  const int64_t num_experts = dprobs.dim(1);
  const double length = static_cast<double>(seq_len);
  const double factor =
      coef * static_cast<double>(num_experts) / (length * static_cast<double>(top_k)) / length;
  const AuxLossGradient op{counts.data<float>(), unmasked.data<float>(),
                           dprobs.data<float>(), static_cast<float>(factor),
                           num_experts,          first_row,
                           rows_per_sequence};
  for_elements<1>(cuda_of(dprobs), "aux_loss_backward", dprobs.size(), false, op);
}

}  // namespace argosy::ops
