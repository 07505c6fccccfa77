// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/check.h"
#include "trainer/ops/fp8.h"

namespace argosy::ops::detail {
namespace {

[[noreturn]] void refuse() {
  throw ConfigError(kNoFp8OnCpus);
}

}  // namespace

template <>
void require_fp8<Device::cpu>(DeviceContext&) {
  refuse();
}
template <>
void quantize<Device::cpu>(DeviceContext&, const Tensor&, const Fp8Matrix&, const Fp8Groups&) {
  refuse();
}
template <>
void matmul_fp8<Device::cpu>(DeviceContext&, const Fp8Matrix&, const Fp8Matrix&, const Tensor&,
                             const MatmulOptions&, Ragged) {
  refuse();
}

}  // namespace argosy::ops::detail
