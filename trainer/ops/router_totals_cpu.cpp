// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <numeric>

#include "trainer/ops/dispatch.h"
#include "trainer/ops/router_totals.h"

namespace argosy::ops::detail {

template <>
void add_choices<Device::cpu>(const Tensor& counts, double* totals) {
  dispatch_statistic(counts.dtype(), [&]<typename T>() {
    for (int64_t i = 0; i < counts.size(); ++i) {
      totals[i % counts.dim(1)] += static_cast<double>(counts.data<T>()[i]);
    }
  });
}

template <>
void add_aux_loss<Device::cpu>(const Tensor& counts, const Tensor& prob_sums,
                               const Tensor& unmasked, int64_t top_k, int64_t seq_len,
                               double* total) {
  dispatch_statistic(counts.dtype(), [&]<typename T>() {
    const int64_t num_sequences = counts.dim(0), num_experts = counts.dim(1);
    const double choices = static_cast<double>(seq_len * top_k);
    double sum = 0;
    for (int64_t b = 0; b < num_sequences; ++b) {
      const T* count = counts.data<T>() + b * num_experts;
      const T* prob = prob_sums.data<T>() + b * num_experts;
      double balance = 0;  // sum over e of f_e P_e
      for (int64_t e = 0; e < num_experts; ++e) {
        balance += static_cast<double>(count[e]) / choices * static_cast<double>(prob[e]) /
                   static_cast<double>(seq_len);
      }
      sum +=
          static_cast<double>(unmasked.data<T>()[b]) * static_cast<double>(num_experts) * balance;
    }
    *total += sum;
  });
}

template <>
void add_z_loss<Device::cpu>(const Tensor& lse, const Tensor& mask, double* total) {
  dispatch_statistic(lse.dtype(), [&]<typename T>() {
    double sum = 0;
    for (int64_t i = 0; i < lse.size(); ++i) {
      const double value = static_cast<double>(lse.data<T>()[i]);
      sum += static_cast<double>(mask.data<T>()[i]) * value * value;
    }
    *total += sum;
  });
}

template <>
void spread_shares<Device::cpu>(const Tensor& shares, double factor, const Tensor& counts) {
  dispatch_statistic(counts.dtype(), [&]<typename T>() {
    for (int64_t i = 0; i < counts.size(); ++i) {
      counts.data<T>()[i] =
          static_cast<T>(factor * static_cast<double>(shares.data<T>()[i % counts.dim(1)]));
    }
  });
}

template <>
void assign_shares<Device::cpu>(const std::vector<double>& choices, const Tensor& shares) {
  dispatch_statistic(shares.dtype(), [&]<typename T>() {
    const int64_t num_experts = shares.dim(1);
    for (int64_t row = 0; row < shares.dim(0); ++row) {
      const double* of_row = choices.data() + row * num_experts;
      const double total = std::accumulate(of_row, of_row + num_experts, 0.0);
      if (total <= 0) continue;
      for (int64_t e = 0; e < num_experts; ++e) {
        shares.data<T>()[row * num_experts + e] = static_cast<T>(of_row[e] / total);
      }
    }
  });
}

template <>
void balance_bias<Device::cpu>(const std::vector<double>& choices, double rate,
                               const Tensor& bias) {
  dispatch_statistic(bias.dtype(), [&]<typename T>() {
    const int64_t num_experts = bias.dim(1);
    for (int64_t row = 0; row < bias.dim(0); ++row) {
      const double* of_row = choices.data() + row * num_experts;
      const double total = std::accumulate(of_row, of_row + num_experts, 0.0);
      for (int64_t e = 0; e < num_experts; ++e) {
        // Times E: counts are whole numbers, so that the comparison is exact.
        const double load = of_row[e] * static_cast<double>(num_experts);
        const double sign = load < total ? 1.0 : load > total ? -1.0 : 0.0;
        bias.data<T>()[row * num_experts + e] += static_cast<T>(rate * sign);
      }
    }
  });
}

}  // namespace argosy::ops::detail
