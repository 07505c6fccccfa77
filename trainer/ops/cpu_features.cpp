// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "planner/spec/check.h"
#include "trainer/ops/cpu_kernel_list.h"

namespace argosy::ops::detail {
namespace {

// The user's cap, for measuring one kernel against another and for a CPU whose best one is broken.
CpuFeatures capped(CpuFeatures features, std::string_view cap) {
  constexpr std::array<std::string_view, 4> kCaps = {"none", "avx512", "avx512_bf16", "amx"};
  const auto level = std::find(kCaps.begin(), kCaps.end(), cap) - kCaps.begin();
  if (static_cast<size_t>(level) == kCaps.size()) {
    throw ConfigError(
        concat("environment variable ARGOSY_CPU_KERNELS: \"", cap,
               "\"; valid are none, avx512, avx512_bf16 and amx (the default: all that "
               "the CPU supports)"));
  }
  features.avx512 = features.avx512 && level >= 1;
  features.avx512_bf16 = features.avx512_bf16 && level >= 2;
  features.amx_bf16 = features.amx_bf16 && level >= 3;
  features.cap = level == 3 ? "" : cap;
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = [] {
    const char* cap = std::getenv("ARGOSY_CPU_KERNELS");
    return capped(read_cpu_features(), cap == nullptr ? "amx" : cap);
  }();
  return features;
}

}  // namespace argosy::ops::detail
