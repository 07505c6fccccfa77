// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Master weights as a checkpoint sees them: whole fp32 numbers, which no memory holds.
#pragma once

#include "checkpoint/checkpoint.h"
#include "trainer/tensor.h"

namespace argosy {

// Joins weights with the rest of their masters (planner/spec/split_float.h) where they are read,
// and splits what is written.
class MasterMemory : public PieceMemory {
 public:
  // rounded (N) bf16 and rest (N) int16.
  MasterMemory(Tensor rounded, Tensor rest);

  // Of the first master: a number to count from, 4 bytes an element, that nobody reads at.
  void* address() const { return rest_.raw(); }

  void read(const void* data, void* host, int64_t bytes) override;
  void write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
             int64_t pitch_bytes) override;

 private:
  int64_t element_at(const void* data) const;

  Tensor rounded_, rest_;
};

}  // namespace argosy
