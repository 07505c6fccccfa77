// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attention of a text that goes on: few queries, many keys. Keys and values are read where they
// lie; to pack them for so few rows would take longer than to multiply them.
#pragma once

#include "trainer/ops/attention.h"

namespace argosy::ops::detail {

// Whether so few queries ask so many other keys.
bool is_decoding(const AttentionShape& s);

// Operands as attention.h says, with spans. Probabilities stay in the accumulator's type.
void decoding_attention_forward(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                                const Tensor& k, const Tensor& v, const Tensor& out,
                                const Tensor& lse, Merge merge);

}  // namespace argosy::ops::detail
