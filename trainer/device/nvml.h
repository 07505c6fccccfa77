// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the driver tells of a GPU, by NVML. The library is the driver's and only there where a GPU
// is: it is opened when it is first asked, and no build needs it.
#pragma once

#include <cstdint>
#include <string>

namespace argosy {

struct GpuState {
  std::string name;
  int64_t sm_clock_mhz = 0, max_sm_clock_mhz = 0;
  double power_w = 0, power_limit_w = 0;
  int64_t used_bytes = 0, total_bytes = 0;  // of all processes
};

// Now. uuid: "GPU-...", as CudaFacts has it. Throws Error naming the call and NVML's own words.
GpuState read_gpu_state(const std::string& uuid, const std::string& library = "libnvidia-ml.so.1");

// "NVIDIA H200, SM 345 of 1980 MHz, 78 of 700 W, 1.2 of 139.8 GiB"
std::string describe(const GpuState& state);

}  // namespace argosy
