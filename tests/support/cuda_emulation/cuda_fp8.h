// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stands in for NVIDIA's header of this name: the conversion alone, by the definition of the types.
#pragma once

#include "tests/support/cuda_emulation/float8.h"

enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };

inline unsigned char __nv_cvt_float_to_fp8(float x, __nv_saturation_t,
                                           __nv_fp8_interpretation_t type) {
  return type == __NV_E4M3 ? argosy::cuda_emulation::to_e4m3(x)
                           : argosy::cuda_emulation::to_e5m2(x);
}
