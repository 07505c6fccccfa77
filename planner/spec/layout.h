// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which part of which tensor a rank holds, and who owns it. The trainer allocates by it, ZeRO
// shards by it, the gradient norm counts by it, checkpoints are written by it: one map, so that
// they cannot disagree.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/spec/mesh.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"

namespace argosy {

// A rectangle of a logical tensor.
struct Box {
  Range rows, cols;
  int64_t size() const { return rows.size() * cols.size(); }
  bool empty() const { return rows.empty() || cols.empty(); }
  auto operator<=>(const Box&) const = default;
};
Box intersect(const Box& a, const Box& b);

// Row-major elements [range.begin, range.end) of `box` as at most three rectangles (in global
// coordinates, in flat order).
std::vector<Box> boxes_of_flat_range(const Box& box, Range range);

// Tensors that are kept in one flat buffer on a rank, in order, without gaps.
//   dense         reduced over dp_cp            expert          reduced over edp
//   *_frozen      the base of a LoRA job: no gradient, no optimizer state
enum class Domain { dense, expert, dense_frozen, expert_frozen };
inline constexpr int kNumDomains = 4;
Axis reduction_axis(Domain domain);                // dp_cp or edp
Axis shard_axis(const Mesh& mesh, Domain domain);  // the part of it that shares ZeRO's shards
Axis replica_axis(Domain domain);                  // the ranks of it that hold the same shard
Axis tensor_axis(Domain domain);                   // the group that cuts its tensors: tp or etp
bool is_trainable(Domain domain);
// True if the ranks of the domain's data-parallel group keep a part each of the reduced gradients
// (ZeRO 2 and 3) and of the parameters (ZeRO 3).
bool shards_gradients(const Plan& plan, Domain domain);
bool shards_parameters(const Plan& plan, Domain domain);

// What must be summed inside the tensor-parallel group (etp for experts) after the last backward,
// because each rank saw part of the tokens (norms and router under sequence parallelism), of the
// heads (q_norm, k_norm, copies of key/value heads) or of the outputs (LoRA factors that are
// replicated).
enum class GradientSum { none, tp, kv_replica };

struct LocalTensor {
  int tensor = 0;  // index into model_tensors(plan.model, plan.lora)
  Box box;         // this rank's part, global coordinates
  Domain domain = Domain::dense;
  int bucket = 0;      // index into the domain's buckets
  int64_t offset = 0;  // first element in the domain's flat buffer
  GradientSum gradient_sum = GradientSum::none;
  bool counts = true;  // false: a copy. Another rank of the tp group or the tied first stage stands
                       // for these elements in the gradient norm and in checkpoints
  Range elements() const { return {offset, offset + box.size()}; }  // of the flat buffer
};

// Of a bucket: elements of weights that blocks multiply with (is_block_product), and their bytes in
// NF4.
struct ProductWeights {
  int64_t elements = 0, nf4_bytes = 0;
  void add(const TensorSpec& tensor, const Box& box);  // a rank's part of it
};

// Whether a bucket is packed: a frozen one of a base of 4 bits that has products, which are in NF4.
// With ZeRO 3 its bytes are cut, not its elements: a cut anywhere between elements would leave
// scales on one rank and their levels on another too, and this way shards are equal.
bool is_packed(const LoraSpec& lora, bool is_frozen, const ProductWeights& products);

// One of `parts` shards, as split_range() cuts; of one part all.
struct ShardOf {
  int64_t parts = 1, index = 0;
};

// Bytes in which a shard of a bucket of `size` elements is stored: of a packed bucket's bytes its
// part. In fp8 whole weights have two copies of 8 bits beside the one of 16, as Transformer Engine
// keeps them: one for the products of forward, and a transposed one for backward; shards have none.
int64_t stored_bytes(Precision precision, const LoraSpec& lora, bool is_frozen, int64_t size,
                     const ProductWeights& products, ShardOf shard);

// Bytes of a gather of the whole bucket, and of the memory that is lent to what was gathered: as it
// is stored, without the copies of fp8.
int64_t gathered_bytes(Precision precision, const LoraSpec& lora, bool is_frozen, int64_t size,
                       const ProductWeights& products);

// Tensors of a domain that are gathered and reduced in one call, contiguous in its flat buffer:
// those of one layer. A table of the vocabulary is a bucket of its own: it is cut raggedly over tp,
// while buckets of equal size on all ranks of a tp group are cut at equal places over the data, so
// that shards can be summed over tp; and a tied table serves two layers.
struct Bucket {
  int layer = 0;          // TensorSpec::layer
  bool is_table = false;  // vocabulary: the embedding or the head
  Range range;            // of the domain's flat buffer
  // Elements at the front of `range` that are summed over tp; behind those: over kv_replica.
  int64_t num_tp_summed = 0, num_kv_summed = 0;
  ProductWeights products;
  // Part of `range` that this rank updates: all of it without ZeRO, else its place in the group
  // that shards (split_range, ragged, no padding). Part of `shard` that it stands for in the
  // gradient norm and in checkpoints: the ranks that update the same share that work.
  Range shard, owned;
  int64_t shard_offset = 0;  // of shard.begin in the rank's shards, one after the other
  // If it is_packed(): its bytes, and those that are the rank's shard with ZeRO 3. It keeps these
  // in place of `shard`, and what it owns comes to it with a gather. Else 0 and empty.
  int64_t packed_bytes = 0;
  Range packed_shard;

  // Where `part` of `shard` lies in the rank's shards.
  Range in_shards(Range part) const {
    return {part.begin - shard.begin + shard_offset, part.end - shard.begin + shard_offset};
  }
};

// Parts of the bucket's shard whose gradients are summed over tp, and over kv_replica.
Range tp_summed(const Bucket& bucket);
Range kv_summed(const Bucket& bucket);
// The embedding, where the first and the last of several stages hold a copy each.
bool is_tied_table(const Plan& plan, const Bucket& bucket);

// How often a micro-batch adds to the bucket's gradient and how often ZeRO-3 gathers its values on
// this pipeline rank: for the forward and the backward pass of a layer; the backward of embedding
// and head does not read their tables, and a tied table is used by both.
int64_t gradient_uses(const Plan& plan, int64_t pipeline_rank, const Bucket& bucket);
int64_t value_uses(const Plan& plan, int64_t pipeline_rank, const Bucket& bucket);

struct DomainLayout {
  int64_t num_elements = 0;        // of the flat buffer on this rank
  int64_t num_shard_elements = 0;  // of all its shards but those of packed buckets
  ShardOf shard;                   // which part of each bucket
  std::vector<Bucket> buckets;     // in the order of the flat buffer
};

struct RankLayout {
  // By domain and bucket. In a bucket come tensors whose gradient_sum is tp, then kv_replica, then
  // the others, each in model order: so that each sum is over one contiguous range.
  std::vector<LocalTensor> tensors;
  std::array<DomainLayout, kNumDomains> domains;

  const DomainLayout& operator[](Domain domain) const {
    return domains[static_cast<size_t>(domain)];
  }
  const Bucket& bucket_of(const LocalTensor& local) const {
    return (*this)[local.domain].buckets[static_cast<size_t>(local.bucket)];
  }
};

// `tensors` is model_tensors(plan.model, plan.lora). The last stage of a tied model holds
// a copy of the embedding, unless it is on the rank of the first.
RankLayout rank_layout(const Plan& plan, const std::vector<TensorSpec>& tensors, int64_t rank);

}  // namespace argosy
