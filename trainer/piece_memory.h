// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <memory>

#include "checkpoint/checkpoint.h"
#include "trainer/tensor.h"

namespace argosy {

// How a checkpoint reads and writes a tensor's memory; null: the host's.
std::shared_ptr<PieceMemory> memory_of(const Tensor& tensor);

}  // namespace argosy
