// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/corrections.h"

#include <cmath>
#include <cstdio>

namespace argosy {

const std::vector<CorrectionFactor>& correction_factors() {
  static const std::vector<CorrectionFactor> factors = {
      {"matmul", &Corrections::matmul},         {"attention", &Corrections::attention},
      {"memory", &Corrections::memory},         {"update", &Corrections::update},
      {"all_reduce", &Corrections::all_reduce}, {"reduce_scatter", &Corrections::reduce_scatter},
      {"all_gather", &Corrections::all_gather}, {"all_to_all", &Corrections::all_to_all},
      {"rest", &Corrections::rest}};
  return factors;
}

double factor_of(const Corrections& corrections, OpKind kind) {
  switch (kind) {
    case OpKind::matmul:
      return corrections.matmul;
    case OpKind::attention:
      return corrections.attention;
    case OpKind::memory:
      return corrections.memory;
  }
  return 1;
}

double factor_of(const Corrections& corrections, CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::all_reduce:
      return corrections.all_reduce;
    case CollectiveKind::reduce_scatter:
      return corrections.reduce_scatter;
    case CollectiveKind::all_gather:
      return corrections.all_gather;
    case CollectiveKind::all_to_all:
      return corrections.all_to_all;
    case CollectiveKind::broadcast:
    case CollectiveKind::send:
    case CollectiveKind::recv:
      break;
  }
  return 1;
}

std::string describe(const Corrections& corrections) {
  constexpr double kVisible = 0.005;
  std::string text;
  for (const CorrectionFactor& factor : correction_factors()) {
    const double value = corrections.*factor.member;
    if (std::abs(value - 1) < kVisible) continue;
    char number[32];
    std::snprintf(number, sizeof number, "%.2f", value);
    text += (text.empty() ? "" : ", ") + std::string(factor.name) + " x" + number;
  }
  return text.empty() ? "none" : text;
}

}  // namespace argosy
