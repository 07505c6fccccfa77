// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights in NF4 as a checkpoint sees them: a rank's base of 4 bits is saved as the values that its
// products read, in the compute dtype, and quantized again when it is loaded, which gives the same
// bits (trainer/ops/nf4.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// Values are made where they are read.
class PackedMemory : public PieceMemory {
 public:
  PackedMemory(DeviceContext& device, ops::Nf4Matrix matrix, DType dtype);

  // Of an element: a number to count from, that nobody reads at.
  void* address(int64_t element) const;

  void read(const void* data, void* host, int64_t bytes) override;
  // Never: values are quantized by PackedLoad.
  void write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
             int64_t pitch_bytes) override;

 private:
  DeviceContext& device_;
  ops::Nf4Matrix matrix_;
  DType dtype_;
};

// The fewest rows of `cols` columns that have these elements, of which the first begins a byte of
// levels; and these rows of a part.
Range nf4_rows_around(Range elements, int64_t cols);
ops::Nf4Matrix nf4_rows(const ops::Nf4Matrix& matrix, Range rows);

// The store's weights in NF4 and in packed shards, read one after the other: each into memory of
// its own, in NF4 for the tiles around it, which is quantized and given back before the next is
// read.
class PackedLoad {
 public:
  // kind_of: which kind of stored tensor has the values. The store must outlive this.
  PackedLoad(ParameterStore& store, std::function<std::string(const TensorSpec&)> kind_of);

  // Keeps what was read of the one before; none: they are done.
  std::vector<TensorPiece> next();

 private:
  ParameterStore& store_;
  std::function<std::string(const TensorSpec&)> kind_of_;
  size_t next_ = 0;  // index into the layout's tensors
  KeptPart tiles_;   // of the one before; undefined: there is none
};

}  // namespace argosy
