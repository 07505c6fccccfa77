// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The part of the store that keeps shards of packed buckets (ZeRO 3): bytes that are numbers once
// they are gathered.
#include <algorithm>
#include <array>

#include "trainer/layers/parameters.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

void ParameterStore::allocate_packed_shards(Domain domain) {
  std::vector<Tensor>& shards = packed_shards_[static_cast<size_t>(domain)];
  shards.resize(layout_[domain].buckets.size());
  packed_places_.resize(layout_.tensors.size());
  std::vector<PackedTensor> tensors;  // of one bucket: neighbours in the layout
  for (size_t i = 0; i < layout_.tensors.size(); ++i) {
    const LocalTensor& local = layout_.tensors[i];
    if (local.domain != domain || !is_in_packed_shards(local)) continue;
    tensors.push_back({local.box, is_in_4_bits(local)});
    const bool is_last = i + 1 == layout_.tensors.size() ||
                         layout_.tensors[i + 1].domain != domain ||
                         layout_.tensors[i + 1].bucket != local.bucket;
    if (!is_last) continue;
    const Bucket& bucket = layout_.bucket_of(local);
    const std::vector<PackedPlace> places = packed_places(tensors, dtype_);
    CHECK(packed_end(places) == bucket.packed_bytes, packed_end(places), " bytes in a bucket of ",
          bucket.packed_bytes);
    std::copy_backward(places.begin(), places.end(),
                       packed_places_.begin() + static_cast<int64_t>(i) + 1);
    shards[static_cast<size_t>(local.bucket)] =
        device_.zeros({bucket.packed_shard.size()}, DType::uint8, MemoryCategory::parameters);
    tensors.clear();
  }
}

void ParameterStore::bind_packed(Domain domain, int bucket, const Tensor& memory) {
  for (const LocalTensor& local : layout_.tensors) {
    if (local.domain != domain || local.bucket != bucket) continue;
    Parameter& parameter = *parameter_of_[index_of(local)];
    const bool is_in_nf4 = is_in_4_bits(local), is_lent = memory.defined();
    if (is_in_nf4) parameter.in_4_bits = is_lent ? nf4_in(memory, local) : ops::Nf4Matrix();
    parameter.value = is_lent && !is_in_nf4
                          ? values_in(memory, local)
                          : Tensor(nullptr, nullptr, shape_of(local), dtype_, device_.device());
  }
}

ops::Nf4Matrix ParameterStore::nf4_in(const Tensor& memory, const LocalTensor& local) const {
  return nf4_in_bucket(memory, packed_places_[index_of(local)], local.box);
}

Tensor ParameterStore::values_in(const Tensor& memory, const LocalTensor& local) const {
  return memory.bytes_as(packed_places_[index_of(local)].values.begin, shape_of(local), dtype_);
}

Tensor ParameterStore::bucket_shard(Domain domain, int bucket) const {
  const auto d = static_cast<size_t>(domain), b = static_cast<size_t>(bucket);
  const Bucket& of = layout_[domain].buckets[b];
  return is_packed_shard(domain, of) ? packed_shards_[d][b] : shard_values(domain, of, of.shard);
}

Tensor ParameterStore::empty_bucket(Domain domain, int bucket, MemoryCategory category) const {
  const Bucket& of = layout_[domain].buckets[static_cast<size_t>(bucket)];
  return is_packed_shard(domain, of) ? device_.empty({of.packed_bytes}, DType::uint8, category)
                                     : device_.empty({of.range.size()}, dtype_, category);
}

KeptBytes ParameterStore::in_packed_shard(const LocalTensor& local, Range place) const {
  const Range shard = layout_.bucket_of(local).packed_shard, here = intersect(place, shard);
  if (here.empty()) return {};
  const Tensor bytes = bucket_shard(local.domain, local.bucket)
                           .rows(here.begin - shard.begin, here.end - shard.begin);
  return {0, {here.begin - place.begin, here.end - place.begin}, bytes};
}

std::vector<KeptBytes> ParameterStore::kept_bytes(const LocalTensor& local) const {
  CHECK(is_in_packed_shards(local), spec_of(local).name);
  const PackedPlace& place = packed_places_[index_of(local)];
  std::vector<KeptBytes> kept;
  int64_t kind = 0;
  for (const Range range : {place.values, place.tile_scales, place.codes, place.scales}) {
    KeptBytes bytes = in_packed_shard(local, range);
    bytes.kind = kind++;
    if (!bytes.part.empty()) kept.push_back(bytes);
  }
  return kept;
}

// Quantized whole, as everywhere; the shard's bytes of it are kept.
void ParameterStore::set_packed_shard(const LocalTensor& local, const KeptPart& tiles) {
  const PackedPlace& place = packed_places_[index_of(local)];
  if (!is_in_4_bits(local)) return copy_to_packed_shard(local, place.values, tiles.values);
  const ops::Nf4Matrix whole =
      ops::empty_nf4(device_, {local.box}, MemoryCategory::workspace).front();
  ops::quantize_nf4(device_, tiles.values, tiles.box, whole);
  copy_to_packed_shard(local, place.tile_scales, whole.tile_scales);
  copy_to_packed_shard(local, place.codes, whole.codes);
  copy_to_packed_shard(local, place.scales, whole.scales);
}

void ParameterStore::copy_to_packed_shard(const LocalTensor& local, Range place,
                                          const Tensor& from) {
  const KeptBytes here = in_packed_shard(local, place);
  if (here.part.empty()) return;
  ops::copy(device_, from.bytes_as(here.part.begin, {here.part.size()}, DType::uint8), here.bytes);
}

}  // namespace argosy
