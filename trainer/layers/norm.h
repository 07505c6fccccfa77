// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// RMSNorm or LayerNorm with its parameters, as the model says.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// Statistics of each row, kept for backward: RMSNorm one, LayerNorm two.
struct NormStatistics {
  Tensor mean;         // (N), LayerNorm alone
  Tensor inverse_std;  // (N): 1/rms or 1/std
};

class Norm {
 public:
  Norm(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole gain,
       TensorRole bias);
  // RMSNorm with an epsilon of its own.
  Norm(const Parameter& gain, double eps) : kind_(NormKind::rms), eps_(eps), gain_(&gain) {}

  const Tensor& gain() const { return gain_->value; }

  // y (N, C) = norm of x (N, C), to which `residual` is added first, in the same pass, unless it is
  // undefined; fills statistics in `category`. y is scratch.
  Tensor forward(const LayerContext& ctx, const Tensor& x, const Tensor& residual,
                 NormStatistics* statistics, MemoryCategory category) const;
  // y again from the kept statistics.
  Tensor apply(const LayerContext& ctx, const Tensor& x, const NormStatistics& statistics) const;
  // dx += (or =) gradient with respect to x.
  void backward(const LayerContext& ctx, const Tensor& dy, const Tensor& x,
                const NormStatistics& statistics, const Tensor& dx, bool accumulate) const;

 private:
  NormKind kind_;
  double eps_;
  const Parameter* gain_;
  const Parameter* bias_ = nullptr;  // LayerNorm alone
};

}  // namespace argosy
