// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/fp8_fixture.h"
#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

using ops::Fp8Format;
using ops::Fp8Matrix;

class Fp8Cuda : public Fp8CudaTest {};

// Every number to the bit as the format's definition rounds it, in both orders of memory.
TEST_F(Fp8Cuda, RoundsByTheDefinition) {
  for (const Fp8Format format : {Fp8Format::e4m3, Fp8Format::e5m2}) {
    const bool is_e4m3 = format == Fp8Format::e4m3;
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{16, 16}, {80, 48}, {32, 208}}) {
      Values values = random_values(rows * cols, 3);
      for (size_t i = 0; i < values.size(); i += 7)
        values[i] *= std::ldexp(1.0, -static_cast<int>(i % 23));  // down to where they vanish
      values[5] = -3.5;                                           // the largest
      values[6] = 0;
      const Tensor x = values_on_cuda({rows, cols}, values);
      std::vector<uint8_t> first, first_turned;
      repeat_in_orders([&] {
        const Fp8Matrix plain = matrix(rows, cols, format), turned = matrix(cols, rows, format);
        ops::quantize(*cuda, x, plain, turned);
        const float limit = is_e4m3 ? 448.0f : 57344.0f, scale = 3.5f / limit;
        EXPECT_EQ(scale_of(plain), scale);
        EXPECT_EQ(scale_of(turned), scale);
        const std::vector<uint8_t> bytes = bytes_of(plain), turned_bytes = bytes_of(turned);
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < cols; ++c) {
            const auto at = static_cast<size_t>(r * cols + c);
            const uint8_t expected = nearest(values[at], scale, format);
            ASSERT_EQ(bytes[at], expected) << values[at];
            ASSERT_EQ(turned_bytes[static_cast<size_t>(c * rows + r)], expected) << values[at];
          }
        }
      });
    }
  }
}

TEST_F(Fp8Cuda, ZerosAndNaN) {
  Values values(256, 0.0);
  const Fp8Matrix zeros = rounded(values_on_cuda({16, 16}, values), false, Fp8Format::e4m3);
  EXPECT_EQ(scale_of(zeros), 1.0f);
  EXPECT_EQ(bytes_of(zeros), std::vector<uint8_t>(256, 0));
  values[77] = kPoison;
  const Fp8Matrix poisoned = rounded(values_on_cuda({16, 16}, values), false, Fp8Format::e4m3);
  EXPECT_EQ(bytes_of(poisoned)[77] & 0x7f, 0x7f);  // it must reach the loss
}

// A Linear's three products against the fp32 ones of the CPU: e4m3 has 4 bits, e5m2 3, and errors
// of many summands average out.
TEST_F(Fp8Cuda, LinearForwardAndBackward) {
  const int64_t tokens = 48, out = 64, in = 80;
  const Values x = random_values(tokens * in, 1), w = random_values(out * in, 2),
               dy = random_values(tokens * out, 3), bias = random_values(out, 4),
               before = random_values(out * in, 5);
  const Tensor x_cuda = values_on_cuda({tokens, in}, x), w_cuda = values_on_cuda({out, in}, w),
               dy_cuda = values_on_cuda({tokens, out}, dy), bias_cuda = values_on_cuda({out}, bias);
  const Tensor y = cuda->empty({tokens, out}, DType::bf16, MemoryCategory::buffers),
               dx = cuda->empty({tokens, in}, DType::bf16, MemoryCategory::buffers),
               dw = cuda->empty({out, in}, DType::fp32, MemoryCategory::buffers);
  copy_from_doubles(before, dw);
  ops::matmul_fp8(*cuda, rounded(x_cuda, false, Fp8Format::e4m3),
                  rounded(w_cuda, false, Fp8Format::e4m3), y, {.bias = bias_cuda});
  ops::matmul_fp8(*cuda, rounded(dy_cuda, false, Fp8Format::e5m2),
                  rounded(w_cuda, true, Fp8Format::e4m3), dx);
  ops::matmul_fp8(*cuda, rounded(dy_cuda, true, Fp8Format::e5m2),
                  rounded(x_cuda, true, Fp8Format::e4m3), dw, {.accumulate = true, .alpha = 0.5});
  EXPECT_EQ(cuda->matmul_flops, 3 * 2 * tokens * out * in);

  const Tensor x_cpu = make(cpu, {tokens, in}, DType::fp32, x),
               w_cpu = make(cpu, {out, in}, DType::fp32, w),
               dy_cpu = make(cpu, {tokens, out}, DType::fp32, dy),
               bias_cpu = make(cpu, {out}, DType::fp32, bias),
               y_cpu = filled(cpu, {tokens, out}, DType::fp32, kPoison),
               dx_cpu = filled(cpu, {tokens, in}, DType::fp32, kPoison),
               dw_cpu = make(cpu, {out, in}, DType::fp32, before);
  ops::matmul_nt(cpu, x_cpu, w_cpu, y_cpu, {.bias = bias_cpu});
  ops::matmul_nn(cpu, dy_cpu, w_cpu, dx_cpu);
  ops::matmul_tn(cpu, dy_cpu, x_cpu, dw_cpu, {.accumulate = true, .alpha = 0.5});
  const auto expect_near = [&](const char* name, const Tensor& got, const Tensor& expected,
                               double tolerance) {
    const Values a = on_host(got), b = values_of(expected);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm)) << name;
    EXPECT_GT(difference, 0) << name << " was not rounded";
  };
  expect_near("y", y, y_cpu, 0.05);
  expect_near("dx", dx, dx_cpu, 0.08);
  expect_near("dw", dw, dw_cpu, 0.08);
}

TEST(Fp8Cpu, IsRefused) {
  DeviceContext cpu(Device::cpu);
  EXPECT_THROW(ops::require_fp8(cpu), ConfigError);
}

}  // namespace
}  // namespace argosy
