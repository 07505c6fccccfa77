// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every memory-bound op at the widths of GPT-2 124M, over so many rows that no cache holds an
// operand, as none holds a layer's when its turn comes in a step. One list for CPUs and GPUs.
#pragma once

#include <functional>

#include "tests/bench/machine.h"
#include "trainer/device/device_context.h"

namespace argosy::bench {

// Arrays of an op: how many of each kind, all of one size.
struct Streams {
  int read = 0, written = 0, updated = 0;
};

// Measures an op that moves `traffic` bytes and prints it.
using Compare = std::function<void(const char* name, const Traffic& traffic, const Streams& streams,
                                   const std::function<void()>& op)>;

struct MemoryOps {
  DeviceContext& ctx;
  DType dtype;
  int64_t rows;                             // of 768 columns; a quarter of them where rows are wide
  int64_t loss_rows;                        // of logits
  int64_t parameters;                       // of an update
  std::function<void(const Tensor&)> fill;  // values without zeros
  Compare compare;
};
void run_memory_ops(const MemoryOps& ops);

}  // namespace argosy::bench
