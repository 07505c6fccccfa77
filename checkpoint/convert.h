// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cstdint>

#include "planner/spec/types.h"

namespace argosy {

bool can_convert(DType from, DType to);  // equal, or both floating point

// Copies `count` elements, rounding to nearest even where `to` is narrower; equal dtypes keep every
// bit. Needs can_convert(from, to).
void convert_elements(DType from, const void* source, DType to, void* destination, int64_t count);

}  // namespace argosy
