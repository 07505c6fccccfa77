// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What no step of a plan can beat with this build's kernels: its matrix products alone, each with
// weights and activations of its own, so that caches are as cold as in a step, and one AdamW pass
// over all parameters. Attention, norms, activations and the loss are left out. Holds the plan's
// weights, gradients and optimizer state.
//
//   step_bound plan.json      answers each line of standard input with a line of JSON:
//     clock   a chain of dependent multiplications on every thread at once, per second: falls when
//             the machine is throttled or busy
//     step    seconds of the products and of the update of one step
// compare_torch.py speaks to it; by hand: echo step | build/bin/step_bound plan.json
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/clock.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/update.h"

namespace argosy {
namespace {

// One Linear, or one kind of Linear of all experts of a layer.
struct Product {
  std::vector<Tensor> w, dw;  // (outputs, inputs) each
  std::vector<int64_t> rows;  // of each
  Tensor x, y;  // (sum of rows, inputs), (sum of rows, outputs); y is its gradient too
};

bool is_product(const TensorSpec& spec) {
  return spec.cols > 1 && spec.role != TensorRole::position_embedding;
}

// Rows that reach one matrix: an expert's share of the choices, else every token.
int64_t rows_of(const Plan& plan, const TensorSpec& spec) {
  const int64_t tokens = plan.tokens_per_microbatch();
  const MoeSpec& moe = plan.model.moe;
  return spec.is_expert() ? tokens * moe.top_k / moe.num_experts : tokens;
}

Tensor filled(DeviceContext& ctx, Shape shape, DType dtype) {
  const Tensor x = ctx.empty(shape, dtype, MemoryCategory::buffers);
  ops::detail::fill_pattern<Device::cpu>(x);
  return x;
}

class Bound {
 public:
  Bound(DeviceContext& ctx, const Plan& plan) : ctx_(ctx), compute_(compute_dtype(plan.precision)) {
    const std::vector<TensorSpec> specs = model_tensors(plan.model);
    int64_t size = 0;
    for (const TensorSpec& spec : specs) size += spec.size();
    const DType wide = gradient_dtype(plan.precision);
    params_ = filled(ctx, {size}, compute_);
    for (Tensor* x : {&grads_, &exp_avg_, &exp_avg_sq_}) *x = filled(ctx, {size}, wide);
    if (has_master_weights(plan.precision))
      rest_ = ctx.zeros({size}, DType::int16, MemoryCategory::optimizer);
    int64_t begin = 0;
    for (const TensorSpec& spec : specs) {
      // A table that is looked up is no product, unless it is the head too.
      const bool is_lookup = spec.role == TensorRole::embedding && !plan.model.tied_head;
      if (is_product(spec) && !is_lookup) add(plan, spec, begin);
      begin += spec.size();
    }
    for (Product& product : products_) {
      int64_t rows = 0;
      for (const int64_t r : product.rows) rows += r;
      product.x = filled(ctx, {rows, product.w.front().dim(1)}, compute_);
      product.y = filled(ctx, {rows, product.w.front().dim(0)}, compute_);
    }
  }

  void run_products() {
    for (const Product& p : products_) ops::grouped_matmul_nt(ctx_, p.x, p.rows, p.w, p.y);
    for (auto p = products_.rbegin(); p != products_.rend(); ++p) {
      ops::grouped_matmul_nn(ctx_, p->y, p->rows, p->w, p->x);
      ops::grouped_matmul_tn(ctx_, p->y, p->x, p->rows, p->dw);
    }
  }

  void run_update() {
    const ops::UpdatePart all{grads_, params_, rest_, exp_avg_, exp_avg_sq_};
    ops::adamw_update(ctx_, {.lr = 1e-9, .step = ++steps_}, {&all, 1});
  }

 private:
  // Matrices of a layer's experts are one product, kind by kind; they follow each other with other
  // kinds between them.
  void add(const Plan& plan, const TensorSpec& spec, int64_t begin) {
    const Shape shape = {spec.rows, spec.cols};
    const std::pair key(spec.layer, spec.role);
    auto known = std::find(keys_.begin(), keys_.end(), key);
    if (known == keys_.end()) {
      known = keys_.insert(keys_.end(), key);
      products_.emplace_back();
    }
    Product* product = &products_[static_cast<size_t>(known - keys_.begin())];
    product->w.push_back(params_.flat(begin, begin + spec.size(), shape));
    product->dw.push_back(grads_.flat(begin, begin + spec.size(), shape));
    product->rows.push_back(rows_of(plan, spec));
  }

  DeviceContext& ctx_;
  DType compute_;
  Tensor params_, grads_, rest_, exp_avg_, exp_avg_sq_;  // (parameters)
  std::vector<Product> products_;
  std::vector<std::pair<int, TensorRole>> keys_;  // [products_]
  int64_t steps_ = 0;
};

double clock_probe() {
  constexpr int64_t kMultiplications = 30'000'000;  // about 30 ms at 3 GHz
  double slowest = 1e300;
#pragma omp parallel reduction(min : slowest)
  {
    const Clock::time_point begin = Clock::now();
    uint64_t x = 3;
    for (int64_t i = 0; i < kMultiplications; ++i) {
      x *= x;
      asm volatile("" : "+r"(x));  // keeps the chain
    }
    slowest = static_cast<double>(kMultiplications) / seconds_since(begin);
  }
  return slowest;
}

int run(const char* path) {
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const Plan plan = parse_plan(text, path);
  DeviceContext ctx(Device::cpu);
  std::optional<Bound> bound;  // of the first step on: who asks for the clock alone needs no memory
  for (std::string command; std::getline(std::cin, command);) {
    if (command == "clock") {
      std::printf("{\"clock\": %.4g}\n", clock_probe());
    } else if (command == "step") {
      if (!bound) bound.emplace(ctx, plan);
      const Clock::time_point begin = Clock::now();
      bound->run_products();
      const double products_s = seconds_since(begin);
      bound->run_update();
      std::printf("{\"step_s\": %.6f, \"products_s\": %.6f}\n", seconds_since(begin), products_s);
    } else {
      std::fprintf(stderr, "step_bound: '%s'; valid: clock, step\n", command.c_str());
      return 2;
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "step_bound plan.json\n");
    return 2;
  }
  return argosy::run(argv[1]);
}
