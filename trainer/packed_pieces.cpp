// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/packed_pieces.h"

#include <cstring>
#include <utility>

#include "planner/spec/integers.h"
#include "trainer/piece_memory.h"

namespace argosy {

PackedMemory::PackedMemory(DeviceContext& device, ops::Nf4Matrix matrix, DType dtype)
    : device_(device), matrix_(std::move(matrix)), dtype_(dtype) {}

void* PackedMemory::address(int64_t element) const {
  return static_cast<char*>(matrix_.codes.raw()) + element * size_in_bytes(dtype_);
}

// Rows of the part, of which the first begins a byte of codes.
ops::Nf4Matrix PackedMemory::rows(Range range) const {
  const Box& box = matrix_.box;
  const Box part = {{box.rows.begin + range.begin, box.rows.begin + range.end}, box.cols};
  const int64_t first_code = range.begin * box.cols.size() / 2,
                first_tile = nf4_tiles(box).rows.begin;
  const Range tiles = nf4_tiles(part).rows;
  return {part, matrix_.codes.rows(first_code, first_code + nf4_code_bytes(part)),
          matrix_.scales.rows(range.begin, range.end),
          matrix_.tile_scales.rows(tiles.begin - first_tile, tiles.end - first_tile)};
}

void PackedMemory::read(const void* data, void* host, int64_t bytes) {
  const int64_t element_bytes = size_in_bytes(dtype_), cols = matrix_.box.cols.size();
  const int64_t first =
      (static_cast<const char*>(data) - static_cast<const char*>(address(0))) / element_bytes;
  const int64_t end = first + bytes / element_bytes;
  if (end == first) return;
  const Range range = {first / cols / 2 * 2, ceil_div(end, cols)};
  const Tensor values = device_.empty({range.size(), cols}, dtype_, MemoryCategory::workspace);
  ops::dequantize_nf4(device_, rows(range), values);
  const int64_t skipped = first - range.begin * cols;
  device_.backend().download(static_cast<const char*>(values.raw()) + skipped * element_bytes, host,
                             bytes);
}

void PackedMemory::write(const void*, void*, int64_t, int64_t, int64_t) {
  CHECK(false, "values of a weight in NF4 cannot be written where they lie");
}

PackedLoad::PackedLoad(ParameterStore& store, std::function<std::string(const TensorSpec&)> kind_of)
    : store_(store), kind_of_(std::move(kind_of)) {}

std::vector<TensorPiece> PackedLoad::next() {
  const std::vector<LocalTensor>& locals = store_.layout().tensors;
  if (tiles_.values.defined()) store_.quantize(locals[next_ - 1], std::exchange(tiles_, {}));
  while (next_ < locals.size() && !store_.in_4_bits(locals[next_]).defined()) ++next_;
  if (next_ == locals.size()) return {};
  const LocalTensor& local = locals[next_++];
  const TensorSpec& spec = store_.spec_of(local);
  tiles_ = store_.empty_tiles_around(local);
  return {{spec.name, kind_of_(spec), spec.rows, spec.cols, tiles_.values.dtype(), tiles_.box,
           tiles_.values.raw(), memory_of(tiles_.values)}};
}

}  // namespace argosy
