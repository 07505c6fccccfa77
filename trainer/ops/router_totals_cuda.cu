// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the host asks for goes to the host: a number for each expert (or token, for the z loss), and
// there it is the CPU's op. Only what stays on the device is a kernel.
#include "trainer/ops/cuda_elements.cuh"
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
double aux_loss<Device::cuda>(const Tensor& counts, const Tensor& prob_sums, const Tensor& unmasked,
                              int64_t top_k, int64_t seq_len) {
  OnHost on_host;
  return aux_loss<Device::cpu>(on_host(counts), on_host(prob_sums), on_host(unmasked), top_k,
                               seq_len);
}

template <>
double z_loss<Device::cuda>(const Tensor& lse, const Tensor& mask) {
  OnHost on_host;
  return z_loss<Device::cpu>(on_host(lse), on_host(mask));
}

template <>
void accumulate_columns<Device::cuda>(const Tensor& counts, std::vector<double>& totals) {
  OnHost on_host;
  accumulate_columns<Device::cpu>(on_host(counts), totals);
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
