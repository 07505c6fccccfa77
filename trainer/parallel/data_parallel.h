// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054): what the ranks of dp x cp, and of edp for
// experts, do with the buckets of their layers while a step runs.
//   0, 1   gradients add up on the rank; a bucket's reduction starts when its last micro-batch is
//          done and runs beside the layers that follow
//   2      gradients add up in shards: a layer's backward adds to a temporary, which is
//          reduce-scattered after each micro-batch while the next layer runs
//   3      as 2; and values exist in shards: a layer's are gathered before its forward and its
//          backward, one layer ahead, and freed after it
// With hybrid sharding (Mesh::zero_shard) all this happens inside the groups that share shards;
// once a step the holders of the same shard add up its gradients. Collectives start in the order of
// the schedule, which is the same on all ranks of a group.
#pragma once

#include <array>
#include <list>
#include <map>
#include <vector>

#include "trainer/layers/parameters.h"
#include "trainer/layers/unit_hooks.h"
#include "trainer/parallel/gradients.h"
#include "trainer/parallel/value_gather.h"

namespace argosy {

class DataParallel : public UnitHooks {
 public:
  // Both must outlive this.
  DataParallel(const LayerContext& ctx, ParameterStore& store, Overlap overlap)
      : ctx_(ctx), store_(store), overlap_(overlap) {}

  // Gradients of a step start.
  void begin_step();
  // Collective. The gradients of the objective times the number of unmasked tokens, summed over all
  // that saw a part of them, once every micro-batch has been through its backward pass.
  ReducedGradients finish_step();

  void before_forward(int layer, std::optional<int> next, Keep keep) override;
  void after_forward(int layer, Keep keep) override;
  void before_backward(int layer, std::optional<int> next) override;
  void after_backward(int layer) override;

 private:
  struct BucketId {
    Domain domain = Domain::dense;
    int index = 0;
    auto operator<=>(const BucketId&) const = default;
  };
  enum class Pick { tables, others, all };
  // A bucket's gradient of one micro-batch on its way into the shards.
  struct Scatter {
    BucketId id;
    Tensor gradient;  // (bucket.range.size())
    Tensor shard;     // (bucket.shard.size()), summed over the ranks once `request` is complete
    Request request;
  };

  const Bucket& bucket(BucketId id) const {
    return store_.layout()[id.domain].buckets[static_cast<size_t>(id.index)];
  }
  Communicator& group(BucketId id) const {
    return ctx_.groups[shard_axis(ctx_.plan.mesh, id.domain)];
  }
  std::vector<int64_t> shard_sizes(BucketId id) const {
    return split_sizes(bucket(id).range.size(), group(id).size());
  }
  std::vector<BucketId> buckets(int layer, Pick pick) const;
  std::vector<BucketId> table_of_head() const;  // of modules for multi-token prediction too
  // What the passes of a layer read; what they add to.
  std::vector<BucketId> values_of_forward(int layer) const;
  std::vector<BucketId> values_of_backward(int layer) const;
  std::vector<BucketId> gradients_of_forward(int layer) const;
  std::vector<BucketId> gradients_of_backward(int layer) const;

  void start_gather(BucketId id);
  void gather(const std::vector<BucketId>& now, const std::vector<BucketId>& next);
  void release(const std::vector<BucketId>& ids);
  void lend_gradients(const std::vector<BucketId>& ids);
  void add_to_shards(const std::vector<BucketId>& ids);
  void count_contributions(const std::vector<BucketId>& ids);
  void start_reduction(BucketId id);
  // gradient: (bucket.range.size()), shard: (bucket.shard.size()).
  Request start_scatter(BucketId id, const Tensor& gradient, const Tensor& shard) const;
  void retire_scatters(size_t num_kept);
  void progress();

  const LayerContext& ctx_;
  ParameterStore& store_;
  Overlap overlap_;
  std::map<BucketId, ValueGather> gathers_;
  std::map<BucketId, Tensor> lent_;           // gradients that a layer is adding to
  std::list<std::vector<Scatter>> scatters_;  // by layer, oldest first
  std::array<Tensor, kNumDomains> shards_;    // ZeRO-1: reduced gradients (num_shard_elements)
  std::map<BucketId, int64_t> contributions_;
  std::list<Request> reductions_;
};

}  // namespace argosy
