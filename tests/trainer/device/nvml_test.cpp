// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/nvml.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"

namespace argosy {
namespace {

std::string message_of(const std::string& uuid, const std::string& library) {
  try {
    read_gpu_state(uuid, library);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Nvml, TellsNameClockPowerAndMemory) {
  EXPECT_EQ(describe(read_gpu_state("GPU-1", FAKE_NVML)),
            "NVIDIA H200, SM 345 of 1980 MHz, 78 of 700 W, 0.9 of 139.7 GiB");
}

TEST(Nvml, ErrorsNameTheCall) {
  EXPECT_EQ(message_of("GPU-2", FAKE_NVML),
            "NVML: nvmlDeviceGetHandleByUUID failed: Not Found (code 6)");
  const std::string message = message_of("GPU-1", "no-such-library.so");
  EXPECT_TRUE(message.starts_with("NVML: dlopen failed: no-such-library.so")) << message;
}

}  // namespace
}  // namespace argosy
