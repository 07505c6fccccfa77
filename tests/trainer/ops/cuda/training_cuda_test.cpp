// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The loss, the first weights and the next.
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/initialize.h"
#include "trainer/ops/update.h"

namespace argosy {
namespace {

class TrainingCuda : public CudaOpTest {
 protected:
  // Logits as models have them: up to about 12.
  const Twin& logits(Shape shape, DType dtype) {
    Values values = random_values(shape.size(), ++logits_seed_);
    for (double& v : values) v = static_cast<double>(bfloat16(12 * v));
    return changed(shape, dtype, values);
  }

 private:
  uint32_t logits_seed_ = 100;
};

TEST_F(TrainingCuda, CrossEntropy) {
  for (const DType dtype : kCudaDTypes) {
    for (const int64_t vocab : {1, 8, 31, 4099, 5000}) {
      for (const bool with_gradient : {false, true}) {
        offset = vocab % 2;
        const int64_t rows = 7, first_id = 3;
        // A masked row, targets of other ranks, the first and the last of this one.
        const Values target = {-1,
                               3,
                               static_cast<double>(2 + vocab),
                               0,
                               static_cast<double>(3 + vocab),
                               static_cast<double>(3 + vocab / 2),
                               3};
        const Twin &x = logits({rows, vocab}, dtype), &targets = ids({rows}, target),
                   &maximum = result({rows}, DType::fp32), &sums = result({2, rows}, DType::fp32),
                   &loss = result({rows}, DType::fp32);
        Values highest(static_cast<size_t>(rows), 15);  // of all ranks
        const Twin& overall = operand({rows}, DType::fp32, highest);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::cross_entropy_sums(ctx, of(x), of(targets), first_id, of(maximum), of(sums));
          ops::cross_entropy_rescale(ctx, of(x), of(targets), first_id, of(maximum), of(overall),
                                     of(sums));
          ops::cross_entropy_finish(ctx, of(x), of(targets), first_id, of(overall), of(sums),
                                    of(loss), with_gradient);
        });
      }
    }
  }
}

TEST_F(TrainingCuda, CrossEntropyOfNoRows) {
  const Twin &x = logits({0, 17}, DType::bf16), &targets = ids({0}, {}),
             &maximum = result({0}, DType::fp32), &sums = result({2, 0}, DType::fp32),
             &loss = result({0}, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::cross_entropy_sums(ctx, of(x), of(targets), 0, of(maximum), of(sums));
    ops::cross_entropy_finish(ctx, of(x), of(targets), 0, of(maximum), of(sums), of(loss), true);
  });
}

// A NaN among the logits must reach the loss.
TEST_F(TrainingCuda, CrossEntropyKeepsNan) {
  Values values(600, 1);
  values[77] = kPoison;
  const Tensor x = cuda->empty({1, 600}, DType::fp32, MemoryCategory::buffers),
               targets = cuda->zeros({1}, DType::int32, MemoryCategory::buffers),
               maximum = cuda->empty({1}, DType::fp32, MemoryCategory::buffers),
               sums = cuda->empty({2, 1}, DType::fp32, MemoryCategory::buffers),
               loss = cuda->zeros({1}, DType::fp32, MemoryCategory::buffers);
  const Tensor host = make(cpu, {1, 600}, DType::fp32, values);
  cuda->backend().upload(host.raw(), x.raw(), host.bytes());
  ops::cross_entropy_sums(*cuda, x, targets, 0, maximum, sums);
  ops::cross_entropy_finish(*cuda, x, targets, 0, maximum, sums, loss, true);
  float value = 0;
  cuda->backend().download(loss.raw(), &value, sizeof(value));
  EXPECT_TRUE(std::isnan(value));
}

TEST_F(TrainingCuda, InitialValues) {
  TensorSpec spec;
  spec.name = "model.layers.3.mlp.up_proj.weight";
  spec.rows = 41;
  spec.cols = 67;
  spec.init_std = 0.02;
  const Box box{{5, 40}, {3, 60}};
  for (const Init init : {Init::zeros, Init::ones, Init::normal, Init::kaiming_uniform}) {
    for (const DType dtype : kCudaDTypes) {
      spec.init = init;
      const Twin& part = result({35, 57}, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::initialize(ctx, spec, box, 1234, of(part));
      });
    }
  }
}

TEST_F(TrainingCuda, Updates) {
  for (const int64_t size : {0, 1, 7, 1024, 20011}) {
    for (const int64_t begin : {0, 1}) {
      offset = begin;
      const Shape shape{size};
      const ops::AdamwStep step{.lr = 1e-2, .weight_decay = 0.1, .grad_scale = 0.25, .step = 3};
      Values squares = random_values(size, 50);
      for (double& v : squares) v *= v;
      const Twin &grads = operand(shape, DType::fp32), &params = result(shape, DType::bf16),
                 &master = added_to(shape, DType::fp32), &m = added_to(shape, DType::fp32),
                 &v = changed(shape, DType::fp32, squares);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::adamw_update(ctx, step, of(grads), of(params), of(master), of(m), of(v));
      });
      const Twin &grads2 = operand(shape, DType::fp32), &weights = added_to(shape, DType::fp32),
                 &m2 = added_to(shape, DType::fp32), &v2 = changed(shape, DType::fp32, squares);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::adamw_update(ctx, step, of(grads2), of(weights), Tensor(), of(m2), of(v2));
      });
      const Twin &grads3 = operand(shape, DType::fp32), &params3 = result(shape, DType::bf16),
                 &master3 = added_to(shape, DType::fp32), &weights3 = added_to(shape, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        const ops::SgdStep sgd{.lr = 0.1, .weight_decay = 0.01, .grad_scale = 0.5};
        ops::sgd_update(ctx, sgd, of(grads3), of(params3), of(master3));
        ops::sgd_update(ctx, sgd, of(grads3), of(weights3), Tensor());
      });
    }
  }
}

}  // namespace
}  // namespace argosy
