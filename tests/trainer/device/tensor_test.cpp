// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tensor.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "trainer/device/device_context.h"

namespace argosy {
namespace {

TEST(Shape, SizeAndText) {
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ((Shape{2, 3, 5}.size()), 30);
  EXPECT_EQ((Shape{2, 0}.size()), 0);
  EXPECT_EQ(to_string(Shape{2, 3}), "(2, 3)");
  EXPECT_EQ(to_string(Shape{}), "()");
}

TEST(Tensor, ViewsShareMemory) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = ctx.zeros({4, 3}, DType::fp32, MemoryCategory::buffers);
  const Tensor part = x.rows(1, 3);
  EXPECT_EQ(part.shape(), (Shape{2, 3}));
  part.data<float>()[0] = 7.0f;
  EXPECT_EQ(x.data<float>()[3], 7.0f);
  EXPECT_EQ(x.flat(3, 9, {3, 2}).data<float>()[0], 7.0f);
  EXPECT_EQ(x.view({12}).data<float>()[3], 7.0f);
  EXPECT_EQ(x.rows(4, 4).size(), 0);
  const Tensor deep = ctx.zeros({3, 2, 2, 2}, DType::fp64, MemoryCategory::buffers);
  EXPECT_EQ(deep.rows(1, 2).shape(), (Shape{1, 2, 2, 2}));
  EXPECT_EQ(deep.rows(1, 2).data<double>(), deep.data<double>() + 8);
}

TEST(Tensor, WrongViewsAreRefused) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = ctx.zeros({4, 3}, DType::fp32, MemoryCategory::buffers);
  EXPECT_THROW(x.view({13}), std::logic_error);
  EXPECT_THROW(x.rows(3, 5), std::logic_error);
  EXPECT_THROW(x.rows(2, 1), std::logic_error);
  EXPECT_THROW(x.flat(0, 5, {6}), std::logic_error);
}

TEST(Tensor, BytesAsNumbers) {
  DeviceContext ctx(Device::cpu);
  const Tensor bytes = ctx.zeros({30}, DType::uint8, MemoryCategory::buffers);
  const Tensor x = bytes.bytes_as(12, {2, 2}, DType::fp32);
  x.data<float>()[3] = 2.0f;  // sign and exponent in its last two bytes
  EXPECT_EQ(bytes.data<uint8_t>()[27], 0x40);
  EXPECT_EQ(x.bytes_as(15, {1}, DType::uint8).data<uint8_t>()[0], 0x40);
  EXPECT_EQ(bytes.bytes_as(30, {0}, DType::uint8).size(), 0);
  EXPECT_THROW(bytes.bytes_as(2, {1}, DType::fp32), std::logic_error);   // not aligned
  EXPECT_THROW(bytes.bytes_as(28, {1}, DType::fp32), std::logic_error);  // not all there
  EXPECT_THROW(bytes.bytes_as(-4, {1}, DType::fp32), std::logic_error);
}

TEST(Tensor, DefinedUntilReset) {
  DeviceContext ctx(Device::cpu);
  Tensor x = ctx.empty({0, 3}, DType::bf16, MemoryCategory::buffers);
  EXPECT_TRUE(x.defined());
  EXPECT_EQ(x.bytes(), 0);
  x.reset();
  EXPECT_FALSE(x.defined());
}

}  // namespace
}  // namespace argosy
