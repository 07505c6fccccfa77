// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The part of the store that keeps matrices in NF4.
#include "trainer/layers/parameters.h"

namespace argosy {

// What is not in NF4 lies in values(), the rest in three buffers of its own: together they are the
// bytes that stored_bytes() counts.
void ParameterStore::allocate_in_4_bits(Domain domain) {
  std::vector<Box> boxes;
  int64_t num_values = 0;
  value_begin_.resize(layout_.tensors.size());
  for (const LocalTensor& local : layout_.tensors) {
    if (local.domain != domain) continue;
    if (is_in_4_bits(local)) {
      boxes.push_back(local.box);
    } else {
      value_begin_[index_of(local)] = num_values;
      num_values += local.box.size();
    }
  }
  Tensor& values = values_[static_cast<size_t>(domain)];
  if (num_values > 0) values = device_.zeros({num_values}, dtype_, MemoryCategory::parameters);
  const std::vector<ops::Nf4Matrix> matrices =
      ops::empty_nf4(device_, boxes, MemoryCategory::parameters);
  auto next = matrices.begin();
  for (const LocalTensor& local : layout_.tensors) {
    if (local.domain != domain) continue;
    Parameter& parameter = *parameter_of_[index_of(local)];
    const Shape shape = shape_of(local);
    const bool is_packed = is_in_4_bits(local);
    if (is_packed) parameter.in_4_bits = *next++;
    parameter.value = is_packed ? Tensor(nullptr, nullptr, shape, dtype_, device_.device())
                                : values_of(local, local.elements()).view(shape);
  }
}

Tensor ParameterStore::values_of(const LocalTensor& local, Range part) const {
  CHECK(!is_in_4_bits(local) && !keeps_value_shards(local.domain), spec_of(local).name);
  const int64_t begin =
      part.begin +
      (has_4_bits(local.domain) ? value_begin_[index_of(local)] - local.offset : int64_t{0});
  return values(local.domain).flat(begin, begin + part.size(), Shape{part.size()});
}

Tensor ParameterStore::values_in_4_bits(const LocalTensor& local) const {
  const Parameter& parameter = *parameter_of_[index_of(local)];
  const Tensor values = device_.empty(parameter.value.shape(), dtype_, MemoryCategory::workspace);
  ops::dequantize_nf4(device_, parameter.in_4_bits, values);
  return values.view({local.box.size()});
}

KeptPart ParameterStore::empty_tiles_around(const LocalTensor& local) const {
  const TensorSpec& spec = spec_of(local);
  const Box box =
      is_in_4_bits(local) ? nf4_tiles_around(local.box, spec.rows, spec.cols) : local.box;
  return {box,
          device_.empty({box.rows.size(), box.cols.size()}, dtype_, MemoryCategory::workspace)};
}

void ParameterStore::set_values(const LocalTensor& local, const KeptPart& tiles) {
  if (is_in_packed_shards(local)) return set_packed_shard(local, tiles);
  ops::quantize_nf4(device_, tiles.values, tiles.box, in_4_bits(local));
}

}  // namespace argosy
