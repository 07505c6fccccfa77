// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The weights of one rank, allocated by the rank layout: a flat buffer a domain, and views of it by
// layer and role.
#pragma once

#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/model.h"
#include "planner/spec/plan.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy {

struct Parameter {
  Tensor value;  // (rows, cols) of this rank, or (rows) for vectors; compute dtype
  Tensor grad;   // same shape, gradient dtype; undefined when frozen
};

class ParameterStore {
 public:
  ParameterStore(DeviceContext& device, const Plan& plan, int64_t rank);

  // Null when this rank has no such tensor.
  const Parameter* find(int layer, TensorRole role, int64_t expert = -1,
                        LoraPart lora = LoraPart::none) const;
  // CHECKs that there is one.
  const Parameter& at(int layer, TensorRole role, int64_t expert = -1) const;

  // Flat buffers; undefined where a domain is empty (frozen domains have no gradients).
  const Tensor& values(Domain domain) const { return values_[static_cast<size_t>(domain)]; }
  const Tensor& grads(Domain domain) const { return grads_[static_cast<size_t>(domain)]; }

  const std::vector<TensorSpec>& tensors() const { return tensors_; }
  const RankLayout& layout() const { return layout_; }
  const TensorSpec& spec_of(const LocalTensor& local) const {
    return tensors_[static_cast<size_t>(local.tensor)];
  }

  void initialize(uint64_t seed);  // layout-invariant: see ops/initialize.h
  void zero_grads();

 private:
  using Key = std::tuple<int, TensorRole, int64_t, LoraPart>;
  DeviceContext& device_;
  std::vector<TensorSpec> tensors_;
  RankLayout layout_;
  std::array<Tensor, kNumDomains> values_, grads_;
  std::map<Key, Parameter> parameters_;
};

}  // namespace argosy
