// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trainer/ops/cpu_kernel_list.h"

namespace argosy::ops::detail {
namespace {

bool bit(uint32_t word, int index) {
  return (word >> index & 1u) != 0;
}

// Register states that the system saves and restores: XCR0.
uint32_t enabled_states() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// Linux grants tile state on request, to the whole process (Documentation/arch/x86/xstate.rst).
bool request_tile_state() {
  constexpr int kArchReqXcompPerm = 0x1023, kXfeatureXtiledata = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtiledata) == 0;
}

}  // namespace

// Bits: Intel SDM vol. 2, CPUID leaves 1 and 7; vol. 1, ch. 13 (XCR0).
CpuFeatures read_cpu_features() {
  uint32_t a = 0, b = 0, c = 0, d = 0, a1 = 0, unused = 0;
  CpuFeatures features;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || !bit(c, 27)) return features;  // OSXSAVE
  const uint32_t states = enabled_states();
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  features.avx2 = bit(states, 1) && bit(states, 2) && bit(b, 5);
  const bool zmm_enabled =
      bit(states, 1) && bit(states, 2) && bit(states, 5) && bit(states, 6) && bit(states, 7);
  features.avx512 = zmm_enabled && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
  if (!features.avx512) return features;
  if (a >= 1) __get_cpuid_count(7, 1, &a1, &unused, &unused, &unused);
  features.avx512_bf16 = bit(a1, 5);
  features.amx_bf16 = features.avx512_bf16 && bit(d, 22) && bit(d, 24) && bit(states, 17) &&
                      bit(states, 18) && request_tile_state();
  return features;
}

}  // namespace argosy::ops::detail
