// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// AdamW or SGD over the flat buffers of a rank. With ZeRO 1 (Rajbhandari et al. 2020) each rank
// keeps the state of its share alone, updates it, and the shares are gathered. State and update are
// the device's or, where the plan offloads them, the host's (host_update.h).
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"
#include "trainer/ops/update.h"
#include "trainer/parallel/gradients.h"
#include "trainer/parallel/host_update.h"

namespace argosy {

struct OptimizerSettings {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;                       // on tensors that TensorSpec::decay names
  int64_t host_load_elements = kHostLoadElements;  // tests take few
};

class ShardedOptimizer {
 public:
  ShardedOptimizer(const LayerContext& ctx, const ParameterStore& store,
                   const OptimizerSettings& settings);

  // What the next update is: step 1 is the first. Uploaded, so that update() is the same every
  // time.
  void begin_step(int64_t step, double lr) const;
  // Collective. grad_scale: fp64 (1) on the device, as the ops take it. Everything is updated in
  // one pass, or, where ZeRO 1 and 2 gather values, bucket by bucket: a bucket's are gathered while
  // the next one is updated. Nobody waits for the device but a host that updates.
  void update(const LayerContext& ctx, const ParameterStore& store, const ReducedGradients& reduced,
              const Tensor& grad_scale, Overlap overlap = Overlap::on);

  // After parameters were initialised or loaded: master weights start from them.
  void reset_master(const LayerContext& ctx);

  // State tensors by their checkpoint kind ("master", "exp_avg", "exp_avg_sq"): this rank's shards
  // of the domain one after the other. A "master" is what the master weights have beyond the
  // parameters (ops/update.h): together they are what a checkpoint holds.
  struct StateTensor {
    std::string kind;
    Domain domain;
    Tensor values;  // (num_shard_elements)
  };
  std::vector<StateTensor> state() const;

  // Of the host's memory beside the device; null: nothing is offloaded.
  const MemoryUse* host_memory() const { return host_ ? &host_->memory() : nullptr; }

 private:
  struct DomainState {
    // (num_shard_elements); undefined where not used. master_rest int16: see ops/update.h.
    Tensor master_rest, exp_avg, exp_avg_sq;
  };
  // A bucket that is gathered once the first `num_parts` are updated.
  struct Gather {
    size_t num_parts = 0;
    Domain domain = Domain::dense;
    const Bucket* bucket = nullptr;
  };
  struct Work {
    std::vector<ops::UpdatePart> parts;
    std::vector<Gather> gathers;  // in their order
  };
  using Parts = std::span<const ops::UpdatePart>;
  Work work_of(const LayerContext& ctx, const ParameterStore& store,
               const ReducedGradients& reduced) const;
  void add_parts(const ParameterStore& store, Domain domain, const Bucket& bucket,
                 const Tensor& grads, std::vector<ops::UpdatePart>* parts) const;
  // Where the state is.
  DeviceContext& place_of(const LayerContext& ctx) const {
    return host_ ? host_->context() : ctx.device;
  }
  void update_parts(DeviceContext& place, Parts parts, const Tensor& grad_scale) const;

  OptimizerKind kind_;
  OptimizerSettings settings_;
  std::unique_ptr<HostMemory> host_;  // null: the state is on the device
  Tensor numbers_;                    // of the next update (ops/update.h)
  std::array<DomainState, kNumDomains> states_;
};

}  // namespace argosy
