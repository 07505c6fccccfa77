// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of buckets: as they are kept, and as they are gathered.
#include "planner/spec/layout.h"
#include "planner/spec/nf4.h"

namespace argosy {

void ProductWeights::add(const TensorSpec& tensor, const Box& box) {
  if (!is_block_product(tensor.role) || tensor.lora != LoraPart::none) return;
  elements += box.size();
  nf4_bytes += ::argosy::nf4_bytes(box);
}

bool is_packed(const LoraSpec& lora, bool is_frozen, const ProductWeights& products) {
  return is_frozen && lora.base_bits != kUnquantizedBits && products.elements > 0;
}

int64_t stored_bytes(Precision precision, const LoraSpec& lora, bool is_frozen, int64_t size,
                     const ProductWeights& products, ShardOf shard) {
  constexpr int64_t kCopiesIn8Bits = 2;
  if (is_packed(lora, is_frozen, products)) {
    const int64_t whole = gathered_bytes(precision, lora, is_frozen, size, products);
    return split_range(whole, shard.parts, shard.index).size();
  }
  const bool has_copies = precision == Precision::fp8 && shard.parts == 1;
  return split_range(size, shard.parts, shard.index).size() *
             size_in_bytes(compute_dtype(precision)) +
         (has_copies ? kCopiesIn8Bits * products.elements : 0);
}

int64_t gathered_bytes(Precision precision, const LoraSpec& lora, bool is_frozen, int64_t size,
                       const ProductWeights& products) {
  const int64_t element = size_in_bytes(compute_dtype(precision));
  if (!is_packed(lora, is_frozen, products)) return size * element;
  return (size - products.elements) * element + products.nf4_bytes;
}

}  // namespace argosy
