// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

double element(const TensorPiece& piece, const void* data, int64_t index) {
  switch (piece.dtype) {
    case DType::fp64:
      return static_cast<const double*>(data)[index];
    case DType::fp32:
      return static_cast<const float*>(data)[index];
    case DType::bf16:
      return static_cast<double>(static_cast<const bfloat16*>(data)[index]);
    default:
      break;
  }
  throw std::logic_error(concat(piece.name, " holds ", to_string(piece.dtype)));
}

}  // namespace

Plan single_rank(Plan plan) {
  plan.mesh = {};
  plan.zero_stage = 0;
  plan.sequence_parallel = false;
  plan.schedule = ScheduleKind::one_f_one_b;
  plan.virtual_stages = 1;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  plan.offload = Offload::none;
  plan.predicted = {};
  return plan;
}

std::vector<double> assemble(Communicator& world, const TensorSpec& spec,
                             const std::vector<TensorPiece>& pieces, std::string_view kind) {
  std::vector<double> whole(static_cast<size_t>(spec.size()), 0.0);
  for (const TensorPiece& piece : pieces) {
    if (piece.kind != kind || piece.name != spec.name) continue;
    std::vector<char> image;
    const void* data = piece.data;
    if (piece.memory) {
      image.resize(static_cast<size_t>(piece.box.size() * size_in_bytes(piece.dtype)));
      piece.memory->read(piece.data, image.data(), static_cast<int64_t>(image.size()));
      data = image.data();
    }
    int64_t index = 0;
    for (int64_t r = piece.box.rows.begin; r < piece.box.rows.end; ++r) {
      for (int64_t c = piece.box.cols.begin; c < piece.box.cols.end; ++c) {
        whole[static_cast<size_t>(r * piece.cols + c)] += element(piece, data, index++);
      }
    }
  }
  world.all_reduce({whole.data(), spec.size(), DType::fp64});
  return whole;
}

Difference largest_difference(const std::string& name, const std::vector<double>& expected,
                              const std::vector<double>& actual, double smallest_scale) {
  CHECK(expected.size() == actual.size(), name, ": ", actual.size(), " elements, expected ",
        expected.size());
  Difference worst{.name = name, .scale = smallest_scale};
  double difference_squares = 0, expected_squares = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst.scale = std::max(worst.scale, std::abs(expected[i]));
    double apart = std::abs(actual[i] - expected[i]);
    if (std::isnan(apart)) apart = std::numeric_limits<double>::infinity();
    difference_squares += apart * apart;
    expected_squares += expected[i] * expected[i];
    if (i > 0 && apart <= worst.max_abs) continue;
    worst.max_abs = apart;
    worst.element = i;
    worst.expected = expected[i];
    worst.actual = actual[i];
  }
  if (worst.max_abs > 0) {
    const double n = static_cast<double>(expected.size());
    worst.relative = worst.max_abs / worst.scale;
    worst.relative_rms = std::sqrt(difference_squares / n) /
                         std::max(std::sqrt(expected_squares / n), smallest_scale);
  }
  return worst;
}

std::string describe(const Difference& difference) {
  return concat(difference.name, "[", difference.element, "]: ", difference.actual,
                ", one rank has ", difference.expected, ", relative difference ",
                difference.relative);
}

double verify_tolerance(const Plan& plan) {
  constexpr double kSwitchingExperts = 10;  // times as much where tokens may switch experts
  switch (plan.precision) {
    case Precision::fp64:
      return 1e-12;
    case Precision::fp32:
      return 1e-4;
    default:
      return 5e-2 * (plan.model.has_moe() ? kSwitchingExperts : 1.0);
  }
}

double judged_difference(const Plan& plan, const Difference& difference) {
  return plan.precision == Precision::bf16 ? difference.relative_rms : difference.relative;
}

double update_allowance(OptimizerKind optimizer, double lr, double eps, double grad_noise) {
  if (optimizer != OptimizerKind::adamw) return 0;
  return lr * std::min(2.0, grad_noise / eps);  // +1 becomes -1 at most
}

}  // namespace argosy
