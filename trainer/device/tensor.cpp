// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tensor.h"

#include <cstddef>

namespace argosy {

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + ")";
}

Tensor Tensor::view(Shape shape) const {
  CHECK(shape.size() == size(), to_string(shape_), " viewed as ", to_string(shape));
  return Tensor(storage_, data_, shape, dtype_, device_);
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  CHECK(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0], "rows ", begin, "..",
        end, " of ", to_string(shape_));
  int64_t row_elements = 1;
  for (int i = 1; i < shape_.rank(); ++i) row_elements *= shape_[i];
  Shape part;
  switch (shape_.rank()) {
    case 1:
      part = {end - begin};
      break;
    case 2:
      part = {end - begin, shape_[1]};
      break;
    case 3:
      part = {end - begin, shape_[1], shape_[2]};
      break;
    default:
      part = {end - begin, shape_[1], shape_[2], shape_[3]};
  }
  return flat(begin * row_elements, end * row_elements, part);
}

Tensor Tensor::flat(int64_t begin, int64_t end, Shape shape) const {
  CHECK(0 <= begin && begin <= end && end <= size() && shape.size() == end - begin, "elements ",
        begin, "..", end, " of ", to_string(shape_), " as ", to_string(shape));
  auto* first = static_cast<std::byte*>(data_) + begin * size_in_bytes(dtype_);
  return Tensor(storage_, first, shape, dtype_, device_);
}

Tensor Tensor::bytes_as(int64_t first, Shape shape, DType dtype) const {
  const int64_t end = first + shape.size() * size_in_bytes(dtype);
  CHECK(0 <= first && end <= bytes(), "bytes ", first, "..", end, " of ", bytes());
  auto* begin = static_cast<std::byte*>(data_) + first;
  const auto address = reinterpret_cast<uintptr_t>(begin);
  CHECK(address % static_cast<uintptr_t>(size_in_bytes(dtype)) == 0, to_string(dtype), " at byte ",
        first);
  return Tensor(storage_, begin, shape, dtype, device_);
}

}  // namespace argosy
