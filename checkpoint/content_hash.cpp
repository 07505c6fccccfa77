// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A tensor's hash that does not depend on how it was cut: every element is hashed with its index in
// the whole tensor, and the results are added modulo 2^64. Addition has no order, so extents are
// read as they lie. Not cryptographic: it tells apart what differs by accident.
#include <cstring>

#include "checkpoint/checkpoint.h"
#include "checkpoint/shard_reader.h"

namespace argosy {
namespace {

// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every input bit reaches every
// output bit, and different inputs stay different.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Odd, and near 2^64 divided by the golden ratio: keeps index 0 from hashing to 0.
constexpr uint64_t kIndexOffset = 0x9e3779b97f4a7c15u;

uint64_t hash_part(const StoredTensor& tensor, const Box& part, const unsigned char* data) {
  const auto element_bytes = static_cast<size_t>(size_in_bytes(tensor.dtype));
  uint64_t sum = 0;
  for (int64_t row = part.rows.begin; row < part.rows.end; ++row) {
    for (int64_t col = part.cols.begin; col < part.cols.end; ++col) {
      uint64_t bits = 0;
      std::memcpy(&bits, data, element_bytes);
      data += element_bytes;
      const auto index = static_cast<uint64_t>(row * tensor.cols + col);
      sum += mix(mix(index + kIndexOffset) ^ bits);
    }
  }
  return sum;
}

uint64_t hash_shape(const StoredTensor& tensor) {
  uint64_t hash = mix(static_cast<uint64_t>(tensor.dtype) + kIndexOffset);
  hash = mix(hash ^ static_cast<uint64_t>(tensor.rows));
  return mix(hash ^ static_cast<uint64_t>(tensor.cols));
}

}  // namespace

std::map<std::string, uint64_t> content_hashes(const std::filesystem::path& checkpoint_dir) {
  const Manifest manifest = read_manifest(checkpoint_dir);
  std::map<std::string, uint64_t> hashes;
  ShardReader reader(checkpoint_dir, manifest);
  for (const StoredTensor& tensor : manifest.tensors) {
    uint64_t& hash = hashes[full_name(tensor)];
    hash = hash_shape(tensor);
    for (const Extent& extent : tensor.extents) {
      reader.read(tensor, extent, [&](const Box& part, const unsigned char* data) {
        hash += hash_part(tensor, part, data);
      });
    }
  }
  return hashes;
}

}  // namespace argosy
