// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The loss, the first weights and the next.
#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "planner/spec/integers.h"
#include "planner/spec/split_float.h"
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/elementwise.h"
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
          ops::cross_entropy_sums(ctx, of(x), of(targets), {first_id}, of(maximum), of(sums));
          ops::cross_entropy_rescale(ctx, of(x), of(targets), {first_id}, of(maximum), of(overall),
                                     of(sums));
          ops::cross_entropy_finish(ctx, of(x), of(targets), {first_id}, of(overall), of(sums),
                                    of(loss), with_gradient);
        });
      }
    }
  }
}

// Columns behind the vocabulary are nobody's; gradients in bf16 take the place of fp32 logits.
TEST_F(TrainingCuda, CrossEntropyOfRowsWithColumnsBehind) {
  constexpr int64_t kRows = 9, kFirst = 3;
  constexpr double kBehind = 14;  // above all logits
  for (const int64_t vocab : {5, 8, 13, 4099}) {
    for (const int64_t cols : {vocab, vocab + 3, round_up(vocab, 8)}) {
      const Twin& random = logits({kRows, cols}, DType::fp32);
      Values values = random.values;
      for (int64_t i = 0; i < kRows * cols; ++i)
        if (i % cols >= vocab) values[static_cast<size_t>(i)] = kBehind;
      const double last = static_cast<double>(kFirst + vocab) - 1;
      const Twin &x = changed({kRows, cols}, DType::fp32, values),
                 &lost = changed({kRows, cols}, DType::fp32, values),
                 &targets = ids({kRows}, {-1, 3, last, last + 1, 0, 4, 3, last, -1}),
                 &maximum = result({kRows}, DType::fp32), &sums = result({2, kRows}, DType::fp32),
                 &loss = result({kRows}, DType::fp32), &again = result({kRows}, DType::fp32),
                 &gradient = result({kRows, vocab}, DType::bf16);
      const ops::OwnIds own{kFirst, vocab};
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        const Tensor wide = ctx.empty({kRows, cols}, DType::fp32, MemoryCategory::buffers);
        ops::copy(ctx, of(lost), wide);
        ops::cross_entropy_sums(ctx, of(x), of(targets), own, of(maximum), of(sums));
        ops::cross_entropy_finish(ctx, of(x), of(targets), own, of(maximum), of(sums), of(loss),
                                  true);
        const Tensor narrow = ops::cross_entropy_finish_in_bf16(ctx, wide, of(targets), own,
                                                                of(maximum), of(sums), of(again));
        for (int64_t row = 0; row < kRows; ++row) {
          ops::copy(ctx, narrow.flat(row * cols, row * cols + vocab, {1, vocab}),
                    of(gradient).rows(row, row + 1));
        }
      });
      forget_twins();
    }
  }
}

TEST_F(TrainingCuda, CrossEntropyOfNoRows) {
  const Twin &x = logits({0, 17}, DType::bf16), &targets = ids({0}, {}),
             &maximum = result({0}, DType::fp32), &sums = result({2, 0}, DType::fp32),
             &loss = result({0}, DType::fp32);
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::cross_entropy_sums(ctx, of(x), of(targets), {0}, of(maximum), of(sums));
    ops::cross_entropy_finish(ctx, of(x), of(targets), {0}, of(maximum), of(sums), of(loss), true);
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
  ops::cross_entropy_sums(*cuda, x, targets, {0}, maximum, sums);
  ops::cross_entropy_finish(*cuda, x, targets, {0}, maximum, sums, loss, true);
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
  for (const Box& box : {Box{{5, 40}, {3, 60}}, Box{{7, 8}, {0, 67}}, Box{{9, 9}, {0, 67}}}) {
    for (const Init init : {Init::zeros, Init::ones, Init::normal, Init::kaiming_uniform}) {
      for (const DType dtype : kCudaDTypes) {
        spec.init = init;
        const Twin& part = result({box.rows.size(), box.cols.size()}, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::initialize(ctx, spec, box, 1234, of(part));
        });
      }
    }
  }
}

// One part of an update on both devices; undefined where there is none.
struct TwinPart {
  const Twin *grads, *params, *rest, *exp_avg, *exp_avg_sq;
  double weight_decay;
};
template <typename Of>
std::vector<ops::UpdatePart> parts_on(const std::vector<TwinPart>& twins, const Of& of) {
  const auto tensor = [&](const Twin* twin) { return twin != nullptr ? of(*twin) : Tensor(); };
  std::vector<ops::UpdatePart> parts;
  for (const TwinPart& twin : twins) {
    parts.push_back({tensor(twin.grads), tensor(twin.params), tensor(twin.rest),
                     tensor(twin.exp_avg), tensor(twin.exp_avg_sq), twin.weight_decay});
  }
  return parts;
}

class UpdatesCuda : public CudaOpTest {
 protected:
  TwinPart adamw_part(int64_t size, bool has_master) {
    Values squares = random_values(size, 50);
    for (double& v : squares) v *= v;
    const Shape shape{size};
    TwinPart part{};
    part.grads = &operand(shape, DType::fp32);
    part.params = &added_to(shape, has_master ? DType::bf16 : DType::fp32);
    if (has_master) part.rest = &rest_of(shape);
    part.exp_avg = &added_to(shape, DType::fp32);
    part.exp_avg_sq = &changed(shape, DType::fp32, squares);
    part.weight_decay = size % 2 == 0 ? 0.1 : 0.0;
    return part;
  }
  // What remains of a master when its weight is rounded is anything where it ends beside a place of
  // rounding: compared are masters.
  Twin& rest_of(const Shape& shape) {
    Values steps(static_cast<size_t>(shape.size()));
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i] = static_cast<double>(i * 7919 % 65536) - 32768.0;
    Twin& rest = changed(shape, DType::int16, steps);
    rest.tolerance = 1e9;
    return rest;
  }
  template <typename Op>
  void expect_parts_agree(const std::vector<TwinPart>& parts, const Op& op) {
    expect_twins_agree_again(op);
    for (const TwinPart& part : parts) {
      if (part.rest == nullptr) continue;
      const Values got = masters(part.params->cuda, part.rest->cuda),
                   expected = masters(part.params->cpu, part.rest->cpu);
      for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << "at " << i;
    }
    forget_twins();
  }
  static Values masters(const Tensor& params, const Tensor& rest) {
    const std::vector<bfloat16> rounded = copy_to_host<bfloat16>(params);
    const std::vector<int16_t> steps = copy_to_host<int16_t>(rest);
    Values values;
    for (size_t i = 0; i < steps.size(); ++i)
      values.push_back(static_cast<double>(join_float(rounded[i], steps[i])));
    return values;
  }
  void expect_adamw_agrees(const std::vector<TwinPart>& parts, double scale) {
    const Twin& factor = operand({1}, DType::fp64, {scale});
    expect_parts_agree(parts, [&](DeviceContext& ctx, const auto& of) {
      ops::adamw_update(ctx, {.lr = 1e-2, .step = 3}, parts_on(parts, of), of(factor));
    });
  }
};

// Primes, chunks and a bit more, misaligned.
TEST_F(UpdatesCuda, OfOnePart) {
  for (const int64_t size : {0, 1, 7, 1024, 20011}) {
    for (const int64_t begin : {0, 1}) {
      for (const bool has_master : {true, false}) {
        offset = begin;
        expect_adamw_agrees({adamw_part(size, has_master)}, 0.25);
        TwinPart sgd = adamw_part(size, has_master);
        expect_parts_agree({sgd}, [&](DeviceContext& ctx, const auto& of) {
          ops::sgd_update(ctx, 0.1, parts_on({sgd}, of));
        });
      }
    }
  }
}

// As a ZeRO shard has them: small and large tensors, cut anywhere, empty ones between, more than a
// launch takes.
TEST_F(UpdatesCuda, OfManyParts) {
  for (const bool has_master : {true, false}) {
    std::vector<TwinPart> parts;
    for (int64_t i = 0; i < 300; ++i) {
      offset = i % 4;
      parts.push_back(adamw_part(i == 17 ? 8195 : i * 11 % 37, has_master));
    }
    expect_adamw_agrees(parts, -0.5);
  }
}

TEST_F(UpdatesCuda, AScaleThatIsNotFiniteChangesNothing) {
  expect_adamw_agrees({adamw_part(1031, false)}, std::numeric_limits<double>::infinity());
}

TEST_F(UpdatesCuda, Scale) {
  const double cases[][4] = {// targets, loss, squares, clip
                             {4, 10, 144, 1},
                             {4, 10, 4, 1},
                             {4, 10, 4, 0},
                             {0, 0, 0, 1},
                             {1e7, 1e8, 3e9, 1e-3}};
  for (const auto& [targets, loss, squares, clip] : cases) {
    const Twin &a = operand({1}, DType::fp64, {targets}), &b = operand({1}, DType::fp64, {loss}),
               &c = operand({1}, DType::fp64, {squares}), &scale = result({1}, DType::fp64);
    expect_twins_agree([&, cut = clip](DeviceContext& ctx, const auto& of) {
      ops::gradient_scale(ctx, {of(a), of(b), of(c)}, cut, of(scale));
    });
  }
}

TEST_F(UpdatesCuda, NoScaleOfWhatIsNotFinite) {
  for (const auto& [loss, squares] :
       {std::pair(std::nan(""), 1.0), std::pair(1.0, std::numeric_limits<double>::infinity())}) {
    const auto one = [&](double value) {
      const Tensor x = cuda->empty({1}, DType::fp64, MemoryCategory::buffers);
      copy_to_device(std::span<const double>(&value, 1), x);
      return x;
    };
    const Tensor scale = one(1);
    ops::gradient_scale(*cuda, {one(4), one(loss), one(squares)}, 1, scale);
    EXPECT_TRUE(std::isnan(copy_to_host<double>(scale).front()));
  }
}

// Every kind of number, in an update that moves nothing: weights and what remains of masters come
// out as the host's functions make them, infinities, denormals, ties and carries included.
TEST_F(UpdatesCuda, MastersStayWhatTheyAre) {
  std::vector<bfloat16> rounded;
  std::vector<int16_t> steps;
  for (uint32_t high = 0; high < 0x10000; high += 0x7f) {  // every exponent, both signs
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float master = std::bit_cast<float>(high << 16 | low);
      if (std::isnan(master)) continue;
      rounded.emplace_back(master);
      steps.push_back(rest_of_float(master, rounded.back()));
    }
  }
  const Shape shape{static_cast<int64_t>(steps.size())};
  const auto on_device = [&](DType dtype) {
    return cuda->zeros(shape, dtype, MemoryCategory::buffers);
  };
  const Tensor params = on_device(DType::bf16), rest = on_device(DType::int16);
  const Tensor zero = on_device(DType::fp32), m = on_device(DType::fp32),
               v = on_device(DType::fp32);
  const auto expect_same = [&] {
    std::vector<bfloat16> params_after(rounded.size());
    std::vector<int16_t> rest_after(steps.size());
    cuda->backend().download(params.raw(), params_after.data(), params.bytes());
    cuda->backend().download(rest.raw(), rest_after.data(), rest.bytes());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(params_after[i].bits, rounded[i].bits) << "at " << i;
      EXPECT_EQ(rest_after[i], steps[i]) << "at " << i;
    }
  };
  cuda->backend().upload(rounded.data(), params.raw(), params.bytes());
  cuda->backend().upload(steps.data(), rest.raw(), rest.bytes());
  const ops::UpdatePart all{zero, params, rest, m, v};
  ops::adamw_update(*cuda, {.lr = 0}, {&all, 1});
  expect_same();
  ops::sgd_update(*cuda, 0, {&all, 1});
  expect_same();
}

}  // namespace
}  // namespace argosy
