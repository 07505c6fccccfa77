// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cluster_units.h"

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Slower and faster than any link between devices, or any memory, of the last twenty years.
constexpr double kSlowestLink = 1e7, kFastestLink = 1e14;  // bytes/s
constexpr double kLeastMemory = 1e8;                       // bytes
constexpr double kLowestPeak = 1e9;                        // FLOP/s

}  // namespace

std::vector<std::string> unit_warnings(const ClusterSpec& cluster, const std::string& where) {
  std::vector<std::string> warnings;
  const auto expect = [&](const std::string& key, double value, double least, double most,
                          const char* meant) {
    if (value >= least && value <= most) return;
    warnings.push_back(concat(where, ": ", key, ": ", value, " is ",
                              value < least ? concat("below ", least) : concat("above ", most),
                              "; meant are ", meant));
  };
  constexpr double kAny = 1e30;
  const Accelerator& a = cluster.accelerator;
  const struct {
    const char* key;
    double value;
  } kPeaks[] = {{"fp64_flops_per_s", a.fp64_flops_per_s},
                {"fp32_flops_per_s", a.fp32_flops_per_s},
                {"bf16_flops_per_s", a.bf16_flops_per_s},
                {"fp8_flops_per_s", a.fp8_flops_per_s}};
  for (const auto& peak : kPeaks) {
    if (peak.value == 0) continue;  // not supported
    expect(concat("accelerator.", peak.key), peak.value, kLowestPeak, kAny,
           "FLOP/s, as 989e12 for 989 TFLOP/s");
  }
  expect("accelerator.memory_bytes", static_cast<double>(a.memory_bytes), kLeastMemory, kAny,
         "bytes, as 80e9 for 80 GB");
  expect("accelerator.memory_bytes_per_s", a.memory_bytes_per_s, kSlowestLink, kFastestLink,
         "bytes/s, as 3.35e12 for 3.35 TB/s");
  for (const LinkTier& tier : cluster.tiers) {
    expect(concat("tiers: ", tier.name, ": bytes_per_s"), tier.bytes_per_s, kSlowestLink,
           kFastestLink, "bytes/s of a device in one direction, as 450e9 for 450 GB/s");
  }
  return warnings;
}

}  // namespace argosy
