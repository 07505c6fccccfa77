// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// GPT-2's gelu: x/2 (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x sigmoid(2u),
// 2u = kGeluLinear (x + kGeluCubic x^3). Constants alone, since files for one instruction set
// include it.
#pragma once

namespace argosy::ops::detail {

inline constexpr double kGeluLinear = 1.5957691216057308;  // 2 sqrt(2/pi)
inline constexpr double kGeluCubic = 0.044715;

}  // namespace argosy::ops::detail
