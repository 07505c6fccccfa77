// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/host_backend.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"
#include "tests/trainer/device/fake_backend.h"
#include "trainer/device/device_context.h"

namespace argosy {
namespace {

TEST(HostBackend, CountsItsBytesApart) {
  DeviceContext device(Device::cpu);
  DeviceContext host(Device::cpu, make_host_backend(device.backend()));
  const Tensor state = host.zeros({1000}, DType::fp32, MemoryCategory::optimizer);
  EXPECT_EQ(host.memory().current[static_cast<size_t>(MemoryCategory::optimizer)], 4000);
  EXPECT_EQ(device.memory().total_current, 0);
  EXPECT_TRUE(host.backend().is_host_memory());
  EXPECT_TRUE(host.backend().is_beside_device());
  EXPECT_FALSE(device.backend().is_beside_device());
}

TEST(HostBackend, KnowsWhatIsLeft) {
  const int64_t available = available_host_bytes();
  EXPECT_GT(available, int64_t{1} << 20);
  DeviceContext device(Device::cpu);
  EXPECT_LE(available, device.backend().total_bytes());
}

// What the machine has not is refused, though Linux would promise it.
TEST(HostBackend, OutOfMemoryNamesTheHostAndWhatWouldHelp) {
  DeviceContext device(Device::cpu);
  DeviceContext host(Device::cpu, make_host_backend(device.backend()));
  const int64_t elements = device.backend().total_bytes() / 4 + 1;
  try {
    (void)host.empty({elements}, DType::fp32, MemoryCategory::optimizer);
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("out of host memory: optimizer wants ")) << text;
    EXPECT_NE(text.find(concat(4 * elements, " bytes")), std::string::npos) << text;
    EXPECT_NE(text.find(" MiB are free; in use here: nothing; what would help: a plan whose ranks "
                        "share the optimizer's state"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("offload=none"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace argosy
