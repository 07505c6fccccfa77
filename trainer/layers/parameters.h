// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The weights of one rank, allocated by the rank layout: a flat buffer a domain, and views of it by
// layer and role. With ZeRO 2 and 3 the buffer holds this rank's shards, and the views of a bucket
// are there while somebody lends it memory. A bucket of which ZeRO 3 cuts the bytes
// (packed_bucket.h) has a buffer of its own.
#pragma once

#include <array>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"
#include "trainer/device/device_context.h"
#include "trainer/layers/packed_bucket.h"
#include "trainer/ops/fp8.h"
#include "trainer/ops/nf4.h"
#include "trainer/tensor.h"

namespace argosy {

struct Parameter {
  Tensor value;  // (rows, cols) of this rank, or (rows) for vectors; compute dtype; with ZeRO-3
                 // only a shape, undefined, while its bucket is not gathered; in NF4 always so
  ops::Nf4Matrix in_4_bits;  // of a LoRA job whose base is in NF4: what it has instead of `value`,
                             // with ZeRO-3 while its bucket is gathered
  Tensor grad;  // same shape, gradient dtype; undefined when frozen, and with ZeRO 2 and 3 outside
                // of the backward pass of its layer
  // In fp8 runs, of weights that blocks multiply with: `value` and its transpose in 8 bits, for
  // forward and backward. Old when value has changed since; whoever multiplies makes them new.
  // Undefined with ZeRO 3: each product has one of its own, of the value that was gathered for it.
  bool is_multiplied_in_8_bits = false;
  ops::Fp8Matrix in_8_bits, turned_in_8_bits;
  mutable bool copies_are_old = true;

  // What `grad` holds is of the step before: the first sum of the step overwrites it.
  mutable bool grad_is_old = false;

  // True for the sums that add to `grad`: all but the first.
  bool adds_to_grad() const { return !std::exchange(grad_is_old, false); }

  // Where the last product of a step adds the squares of `grad`, ParameterStore::squares();
  // undefined: nowhere. Products still to come; 0: not counted.
  Tensor squares;
  mutable int64_t products_to_come = 0;
  mutable bool has_squares = false;

  // One more product: `squares` if it is the last.
  Tensor squares_after_this() const {
    if (products_to_come == 0 || --products_to_come > 0) return Tensor();
    has_squares = true;
    return squares;
  }
};

// Which values a start makes. What is loaded before anybody reads it need not be made: drawing the
// numbers takes longer than reading them.
enum class InitialValues { all, adapters, none };

// A rectangle of a tensor whose values this rank keeps, row-major.
struct KeptPart {
  Box box;        // global coordinates
  Tensor values;  // (box.size())
};

// Bytes that a rank keeps of a tensor in a packed bucket: `part` of those of a kind.
struct KeptBytes {
  int64_t kind = 0;  // of PackedPlace, in its order
  Range part;
  Tensor bytes;  // (part.size()) uint8
};

// Whether there is memory for them: who only computes forward needs none.
enum class Gradients { kept, none };

class ParameterStore {
 public:
  ParameterStore(DeviceContext& device, const Plan& plan, int64_t rank,
                 Gradients gradients = Gradients::kept);

  // Null when this rank has no such tensor.
  const Parameter* find(int layer, TensorRole role, int64_t expert = -1,
                        LoraPart lora = LoraPart::none) const;
  // CHECKs that there is one.
  const Parameter& at(int layer, TensorRole role, int64_t expert = -1) const;

  // Flat buffers; undefined where a domain is empty (frozen domains have no gradients). Values in
  // NF4 are not among them, nor packed buckets in shards. Either
  // (num_elements), or (num_shard_elements): the shards alone, where shards_parameters(plan,
  // domain), for values, and shards_gradients(plan, domain), for gradients, say so.
  const Tensor& values(Domain domain) const { return values_[static_cast<size_t>(domain)]; }
  const Tensor& grads(Domain domain) const { return grads_[static_cast<size_t>(domain)]; }
  bool keeps_value_shards(Domain domain) const;
  bool keeps_gradient_shards(Domain domain) const;

  // Values of `part`, a part of the bucket's shard.
  Tensor shard_values(Domain domain, const Bucket& bucket, Range part) const;
  // All that this rank keeps of a tensor's values; of one in NF4, what they are. In packed shards
  // there are bytes alone.
  std::vector<KeptPart> kept(const LocalTensor& local) const;
  std::vector<KeptBytes> kept_bytes(const LocalTensor& local) const;
  // Elements `part` of the domain's layout, within a tensor that this rank keeps whole and not in
  // NF4, where they lie.
  Tensor values_of(const LocalTensor& local, Range part) const;

  bool is_in_4_bits(const LocalTensor& local) const {
    return has_4_bits(local.domain) && is_quantized(lora_, spec_of(local));
  }
  bool is_packed_shard(Domain domain, const Bucket& bucket) const {
    return keeps_value_shards(domain) && bucket.packed_bytes > 0;
  }
  bool is_in_packed_shards(const LocalTensor& local) const {
    return is_packed_shard(local.domain, layout_.bucket_of(local));
  }
  // The matrix, undefined where a tensor is not in NF4, and in shards while they are not gathered.
  const ops::Nf4Matrix& in_4_bits(const LocalTensor& local) const {
    return parameter_of_[index_of(local)]->in_4_bits;
  }
  // Of both, values are not written where they lie, but set: in NF4 those of all rows and columns
  // that nf4_tiles_around(local.box) names, else those of local.box.
  bool is_set_whole(const LocalTensor& local) const {
    return is_in_4_bits(local) || is_in_packed_shards(local);
  }
  KeptPart empty_tiles_around(const LocalTensor& local) const;  // memory for them, scratch
  void set_values(const LocalTensor& local, const KeptPart& tiles);

  // With values in shards: the rank's shard of a bucket, and memory for all of it. Elements,
  // (bucket.range.size()); of a packed bucket bytes, (bucket.packed_bytes) uint8.
  Tensor bucket_shard(Domain domain, int bucket) const;
  Tensor empty_bucket(Domain domain, int bucket, MemoryCategory category) const;
  // In such memory, a tensor of a packed bucket: one in NF4, or not.
  ops::Nf4Matrix nf4_in(const Tensor& memory, const LocalTensor& local) const;
  Tensor values_in(const Tensor& memory, const LocalTensor& local) const;

  // Lends a bucket memory for its parameters' `value`, that of empty_bucket(), or `grad`,
  // (bucket.range.size()); an undefined tensor takes it back.
  void bind_values(Domain domain, int bucket, const Tensor& memory);
  void bind_grads(Domain domain, int bucket, const Tensor& memory);

  const std::vector<TensorSpec>& tensors() const { return tensors_; }
  const RankLayout& layout() const { return layout_; }
  DeviceContext& device() const { return device_; }
  DType dtype() const { return dtype_; }  // of values
  const TensorSpec& spec_of(const LocalTensor& local) const {
    return tensors_[static_cast<size_t>(local.tensor)];
  }

  // Layout-invariant: see ops/initialize.h.
  void initialize(uint64_t seed, InitialValues which = InitialValues::all);
  // Whoever changed values says so: copies in 8 bits are old.
  void mark_values_changed();
  // Gradients of a step start. Matrices whose gradients are products are overwritten by the first;
  // the others become zero.
  void begin_grads();
  // Gradients that nothing was added to become zero.
  void finish_grads();

  // fp64 (1): squares of the gradients of this step that are whole on this rank once their last
  // product is done, and were taken by it; undefined: none are.
  const Tensor& squares() const { return squares_; }
  // Whether they have those of a tensor.
  bool has_squares(const LocalTensor& local) const {
    return parameter_of_[index_of(local)]->has_squares;
  }

 private:
  using Key = std::tuple<int, TensorRole, int64_t, LoraPart>;
  size_t index_of(const LocalTensor& local) const {
    return static_cast<size_t>(&local - layout_.tensors.data());
  }
  Shape shape_of(const LocalTensor& local) const;  // of its value
  void bind(Domain domain, int bucket, const Tensor& memory, Tensor Parameter::*view);
  void allocate(const Plan& plan, Domain domain, Gradients gradients);
  // Of a frozen domain whose products are in NF4.
  void allocate_in_4_bits(Domain domain);
  Tensor values_in_4_bits(const LocalTensor& local) const;  // (box.size()), scratch
  bool has_4_bits(Domain domain) const { return four_bits_[static_cast<size_t>(domain)]; }
  // Packed buckets in shards (packed_shards.cpp).
  void allocate_packed_shards(Domain domain);
  void bind_packed(Domain domain, int bucket, const Tensor& memory);
  // What the shard has of bytes `place` of the bucket.
  KeptBytes in_packed_shard(const LocalTensor& local, Range place) const;
  void set_packed_shard(const LocalTensor& local, const KeptPart& tiles);
  void copy_to_packed_shard(const LocalTensor& local, Range place, const Tensor& from);
  void prepare_fp8(const Plan& plan, const LocalTensor& local, Parameter* parameter);
  bool is_first_a_product(const LocalTensor& local) const;
  void count_products();

  DeviceContext& device_;
  DType dtype_;
  LoraSpec lora_;
  int64_t num_microbatches_;
  Tensor squares_;
  bool tied_head_is_here_;  // a rank of the last stage, whose head multiplies with the embedding
  std::vector<TensorSpec> tensors_;
  RankLayout layout_;
  std::array<Tensor, kNumDomains> values_, grads_;
  std::array<bool, kNumDomains> value_shards_{}, gradient_shards_{}, four_bits_{};
  std::vector<int64_t> value_begin_;  // [layout().tensors]: in values(); of what is not in NF4
  std::array<std::vector<Tensor>, kNumDomains> packed_shards_;  // [bucket]
  std::vector<PackedPlace> packed_places_;  // [layout().tensors]: of those in packed shards
  std::map<Key, Parameter> parameters_;     // nodes stay where they are
  std::vector<Parameter*> parameter_of_;    // [layout().tensors]
};

}  // namespace argosy
