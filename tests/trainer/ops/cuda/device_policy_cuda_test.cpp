// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/device_policy.h"

#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/matmul.h"

namespace argosy {
namespace {

class DevicePolicyCuda : public CudaOpTest {};

TEST_F(DevicePolicyCuda, ReachesTheKernels) {
  ops::apply_policy(*cuda, {.allow_tf32 = true, .is_deterministic = false});
  EXPECT_TRUE(cuda_of(*cuda).state<ops::CudaMatmulPolicy>().allow_tf32);
  EXPECT_FALSE(cuda_of(*cuda).state<ops::detail::CudaAttention>().is_deterministic);
  ops::apply_policy(*cuda, {});
  EXPECT_FALSE(cuda_of(*cuda).state<ops::CudaMatmulPolicy>().allow_tf32);
  EXPECT_TRUE(cuda_of(*cuda).state<ops::detail::CudaAttention>().is_deterministic);
}

TEST_F(DevicePolicyCuda, TellsWhatRanInTheSlowWay) {
  EXPECT_TRUE(ops::slow_paths(*cuda).empty());
  cuda_of(*cuda).state<ops::detail::CudaAttention>().refused["a shape"] = "a reason";
  const std::vector<std::string> lines = ops::slow_paths(*cuda);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("a shape: a reason"), std::string::npos);
}

TEST(DevicePolicyCpu, HasNoChoice) {
  DeviceContext cpu(Device::cpu);
  EXPECT_NO_THROW(ops::apply_policy(cpu, {}));
  EXPECT_THROW(ops::apply_policy(cpu, {.allow_tf32 = true}), ConfigError);
  EXPECT_THROW(ops::apply_policy(cpu, {.is_deterministic = false}), ConfigError);
  EXPECT_TRUE(ops::slow_paths(cpu).empty());
}

}  // namespace
}  // namespace argosy
