// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "checkpoint/checkpoint.h"

namespace argosy {

// Copies what `part` (row-major image `data` of dtype `from`) and `piece` have in common, converted
// to the piece's dtype, which can_convert() allows.
void copy_common(const Box& part, const unsigned char* data, DType from, const TensorPiece& piece);

}  // namespace argosy
