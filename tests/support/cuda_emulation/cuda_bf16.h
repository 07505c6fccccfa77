// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stands in for NVIDIA's header of this name: conversions alone, round to nearest even.
#pragma once

#include "planner/spec/bfloat16.h"

struct __nv_bfloat16 {
  unsigned short bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  return {argosy::bfloat16(value).bits};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) {
  return value.bits;
}
