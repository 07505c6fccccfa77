// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Comparing a layout with one rank: whole tensors from the ranks' pieces, and how far two of them
// are apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "comm/communicator.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"

namespace argosy {

// The same job on one rank, micro-batch by micro-batch, without recomputation or a prediction: what
// every layout must equal.
Plan single_rank(Plan plan);

// Collective. The whole tensor, row-major, on every rank. Each rank contributes the elements it
// stands for (`pieces` of this name and kind); the ranks' sum is the tensor, and wrong if an
// element has two owners or none.
std::vector<double> assemble(Communicator& world, const TensorSpec& spec,
                             const std::vector<TensorPiece>& pieces, std::string_view kind);

// Where a tensor differs most from what it should be.
struct Difference {
  std::string name;
  size_t element = 0;  // of the row-major whole tensor
  double expected = 0, actual = 0;
  double max_abs = 0;       // |actual - expected| there; infinite where one of them is not a number
  double relative = 0;      // max_abs / scale
  double scale = 0;         // max(max |expected|, smallest_scale); zero for a tensor of zeros
  double relative_rms = 0;  // root mean square of the difference / max(that of expected,
                            // smallest_scale)
};
Difference largest_difference(const std::string& name, const std::vector<double>& expected,
                              const std::vector<double>& actual, double smallest_scale);

// "model.norm.weight[3]: 0.25, one rank has 0.5, relative difference 0.5".
std::string describe(const Difference& difference);

// What --verify calls equal. fp64 and fp32: `relative` of each tensor's largest difference; bf16:
// `relative_rms`, because rounding changes which expert a token goes to here and there, and then
// single elements differ by as much as they are. The smallest scale is 1e-3 of the model's largest
// gradient for gradients and 1e-3 for parameters. Layouts differ in the order of sums, and so in
// the last bits. Measured on models of 1-5 M parameters, largest of all tensors and steps:
// gradients fp64 8e-14, fp32 2e-5, bf16 6e-3, with experts 0.25.
double verify_tolerance(const Plan& plan);
double judged_difference(const Plan& plan, const Difference& difference);

// AdamW divides by the gradient's own size: where a gradient is rounding noise, so is the direction
// of the step of about lr. How far that moves a parameter in one step, at most; 0 for SGD.
//   grad_noise   tolerance of the mean gradient, in its own unit
double update_allowance(OptimizerKind optimizer, double lr, double eps, double grad_noise);

}  // namespace argosy
