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

ops::Nf4Matrix nf4_rows(const ops::Nf4Matrix& matrix, Range rows) {
  const Box& box = matrix.box;
  CHECK(rows.begin * box.cols.size() % 2 == 0, "row ", rows.begin, " begins within a byte");
  const Box part = {{box.rows.begin + rows.begin, box.rows.begin + rows.end}, box.cols};
  const int64_t first_code = rows.begin * box.cols.size() / 2,
                first_tile = nf4_tiles(box).rows.begin;
  const Range tiles = nf4_tiles(part).rows;
  return {part, matrix.codes.rows(first_code, first_code + nf4_code_bytes(part)),
          matrix.scales.rows(rows.begin, rows.end),
          matrix.tile_scales.rows(tiles.begin - first_tile, tiles.end - first_tile)};
}

Range nf4_rows_around(Range elements, int64_t cols) {
  return {elements.begin / cols / 2 * 2, ceil_div(elements.end, cols)};
}

void PackedMemory::read(const void* data, void* host, int64_t bytes) {
  const int64_t element_bytes = size_in_bytes(dtype_), cols = matrix_.box.cols.size();
  const int64_t first =
      (static_cast<const char*>(data) - static_cast<const char*>(address(0))) / element_bytes;
  const int64_t end = first + bytes / element_bytes;
  if (end == first) return;
  const Range range = nf4_rows_around({first, end}, cols);
  const Tensor values = device_.empty({range.size(), cols}, dtype_, MemoryCategory::workspace);
  ops::dequantize_nf4(device_, nf4_rows(matrix_, range), values);
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
  if (tiles_.values.defined()) store_.set_values(locals[next_ - 1], std::exchange(tiles_, {}));
  while (next_ < locals.size() && !store_.is_set_whole(locals[next_])) ++next_;
  if (next_ == locals.size()) return {};
  const LocalTensor& local = locals[next_++];
  const TensorSpec& spec = store_.spec_of(local);
  tiles_ = store_.empty_tiles_around(local);
  return {{spec.name, kind_of_(spec), spec.rows, spec.cols, tiles_.values.dtype(), tiles_.box,
           tiles_.values.raw(), memory_of(tiles_.values)}};
}

}  // namespace argosy
