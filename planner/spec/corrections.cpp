// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/corrections.h"

#include <cmath>
#include <cstdio>

#include "planner/spec/check.h"

namespace argosy {

const std::vector<CorrectionFactor>& correction_factors() {
  static const std::vector<CorrectionFactor> factors = {
      {"matmul", &Corrections::matmul},
      {"attention", &Corrections::attention},
      {"memory", &Corrections::memory},
      {"all_reduce", &Corrections::all_reduce},
      {"reduce_scatter", &Corrections::reduce_scatter},
      {"all_gather", &Corrections::all_gather},
      {"all_to_all", &Corrections::all_to_all},
      {"rest", &Corrections::rest}};
  return factors;
}

ClusterSpec corrected(ClusterSpec cluster, const Corrections& c) {
  Accelerator& a = cluster.accelerator;
  const auto slow_down = [](EfficiencyCurve& curve, double factor) {
    for (EfficiencyPoint& point : curve) point.efficiency /= factor;
  };
  for (EfficiencyCurve* curve :
       {&a.matmul_efficiency, &a.fp64_matmul_efficiency, &a.bf16_matmul_efficiency}) {
    slow_down(*curve, c.matmul * c.rest);
  }
  slow_down(a.attention_efficiency, c.attention * c.rest);
  slow_down(a.memory_efficiency, c.memory * c.rest);
  a.op_overhead_s *= c.rest;
  a.host_launch_s *= c.rest;
  for (double& factor : cluster.collective_factors) factor *= c.rest;
  const auto multiply = [&](CollectiveKind kind, double factor) {
    cluster.collective_factors[static_cast<size_t>(kind)] *= factor;
  };
  multiply(CollectiveKind::all_reduce, c.all_reduce);
  multiply(CollectiveKind::reduce_scatter, c.reduce_scatter);
  multiply(CollectiveKind::all_gather, c.all_gather);
  multiply(CollectiveKind::all_to_all, c.all_to_all);
  return cluster;
}

std::string describe(const Corrections& corrections) {
  constexpr double kVisible = 0.005;
  std::string text;
  for (const CorrectionFactor& factor : correction_factors()) {
    const double value = corrections.*factor.member;
    if (std::abs(value - 1) < kVisible) continue;
    char number[32];
    std::snprintf(number, sizeof number, "%.2f", value);
    append_listed(text, factor.name, " x", number);
  }
  return text.empty() ? "none" : text;
}

}  // namespace argosy
