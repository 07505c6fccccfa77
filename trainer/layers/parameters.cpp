// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/parameters.h"

#include "trainer/ops/elementwise.h"
#include "trainer/ops/initialize.h"

namespace argosy {

namespace {

constexpr std::array<Domain, kNumDomains> kDomains = {Domain::dense, Domain::expert,
                                                      Domain::dense_frozen, Domain::expert_frozen};

Shape shape_of(const TensorSpec& spec, const Box& box) {
  const bool is_vector = spec.cols == 1 && spec.lora == LoraPart::none;
  return is_vector ? Shape{box.rows.size()} : Shape{box.rows.size(), box.cols.size()};
}

}  // namespace

ParameterStore::ParameterStore(DeviceContext& device, const Plan& plan, int64_t rank)
    : device_(device),
      tensors_(model_tensors(plan.model, plan.lora)),
      layout_(rank_layout(plan, tensors_, rank)) {
  for (const Domain domain : kDomains) {
    const auto d = static_cast<size_t>(domain);
    const int64_t size = layout_[domain].num_elements;
    if (size == 0) continue;
    values_[d] = device.zeros({size}, compute_dtype(plan.precision), MemoryCategory::parameters);
    if (is_trainable(domain)) {
      grads_[d] = device.zeros({size}, gradient_dtype(plan.precision), MemoryCategory::gradients);
    }
  }
  for (const LocalTensor& local : layout_.tensors) {
    const TensorSpec& spec = spec_of(local);
    const Shape shape = shape_of(spec, local.box);
    Parameter parameter;
    const int64_t begin = local.offset, end = local.offset + local.box.size();
    parameter.value = values(local.domain).flat(begin, end, shape);
    if (is_trainable(local.domain)) parameter.grad = grads(local.domain).flat(begin, end, shape);
    parameters_.emplace(Key{spec.layer, spec.role, spec.expert, spec.lora}, parameter);
  }
}

const Parameter* ParameterStore::find(int layer, TensorRole role, int64_t expert,
                                      LoraPart lora) const {
  const auto it = parameters_.find(Key{layer, role, expert, lora});
  return it == parameters_.end() ? nullptr : &it->second;
}

const Parameter& ParameterStore::at(int layer, TensorRole role, int64_t expert) const {
  const Parameter* parameter = find(layer, role, expert);
  CHECK(parameter != nullptr, "no tensor of role ", static_cast<int>(role), " in layer ", layer);
  return *parameter;
}

void ParameterStore::initialize(uint64_t seed) {
  for (const LocalTensor& local : layout_.tensors) {
    const Tensor part = values(local.domain)
                            .flat(local.offset, local.offset + local.box.size(),
                                  Shape{local.box.rows.size(), local.box.cols.size()});
    ops::initialize(device_, spec_of(local), local.box, seed, part);
  }
}

void ParameterStore::zero_grads() {
  for (const Tensor& grad : grads_) {
    if (grad.defined()) ops::fill_zero(device_, grad);
  }
}

}  // namespace argosy
