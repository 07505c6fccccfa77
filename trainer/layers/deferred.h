// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weight gradients that a split backward pass puts off (Qi et al. 2023, arXiv 2401.10241): the
// gradient of a stage's input leaves at once, the weights' wait for a moment when the rank would be
// idle.
#pragma once

#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"
#include "trainer/layers/product_operand.h"

namespace argosy {

// Of one stage and micro-batch. What the products read stays alive until they are run, in category
// activations; work.h lists it.
class DeferredWeightGradients {
 public:
  // Gradient of parameters[g] (out, in) += alpha * dy (m, out)^T x (m, in), later, of consecutive
  // rows m = rows[g] of both. Neither tensor may change until then.
  void add(const LayerContext& ctx, const std::vector<const Parameter*>& parameters,
           const std::vector<int64_t>& rows, const Tensor& dy, const Tensor& x, double alpha);
  // All of them in the order of add(), each freed as it is done.
  void run(const LayerContext& ctx);
  bool empty() const { return products_.empty(); }

 private:
  struct Product {
    std::vector<const Parameter*> parameters;
    std::vector<int64_t> rows;  // [parameters]
    Tensor dy, x;
    double alpha;
  };
  std::vector<Product> products_;
};

// Does the product now, or puts it off when ctx.deferred says so: of one parameter with all rows,
// or of one parameter for each group of rows. The gradient of the bias (out) beside it, if there is
// one, is added to at once.
void add_weight_gradient(const LayerContext& ctx, const Parameter& parameter,
                         const ProductOperand& dy, const ProductOperand& x, double alpha = 1.0,
                         const Tensor& bias_gradient = {});
void add_weight_gradients(const LayerContext& ctx, const std::vector<const Parameter*>& parameters,
                          const std::vector<int64_t>& rows, const ProductOperand& dy,
                          const ProductOperand& x, double alpha = 1.0);

// gather_tokens() of a gradient (s, H) that its owner goes on adding to. If weight gradients read
// it (`is_read`) and are put off, they get a copy of it as it is now.
Tensor gather_gradient(const LayerContext& ctx, const Tensor& gradient, bool is_read);

}  // namespace argosy
