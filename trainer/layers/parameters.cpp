// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/parameters.h"

#include <algorithm>

#include "trainer/ops/elementwise.h"
#include "trainer/ops/initialize.h"
#include "trainer/ops/matmul.h"

namespace argosy {

namespace {

constexpr std::array<Domain, kNumDomains> kDomains = {Domain::dense, Domain::expert,
                                                      Domain::dense_frozen, Domain::expert_frozen};

bool has_tied_head(const Plan& plan, int64_t rank) {
  const std::vector<int64_t> stages =
      stages_of_pipeline_rank(plan, coordinates(plan.mesh, rank).pp);
  const bool has_head =
      std::find(stages.begin(), stages.end(), plan.num_stages() - 1) != stages.end();
  return plan.model.tied_head && has_head;
}

// A rank that shares no tensor and no data with another has whole gradients as soon as its last
// product is done.
bool takes_squares(const DeviceContext& device, const Plan& plan) {
  const Mesh& mesh = plan.mesh;
  return mesh.tp * mesh.cp * mesh.dp == 1 && compute_dtype(plan.precision) == DType::bf16 &&
         ops::takes_squares(device.device());
}

}  // namespace

ParameterStore::ParameterStore(DeviceContext& device, const Plan& plan, int64_t rank,
                               Gradients gradients)
    : device_(device),
      dtype_(compute_dtype(plan.precision)),
      lora_(plan.lora),
      num_microbatches_(plan.num_microbatches()),
      tied_head_is_here_(has_tied_head(plan, rank)),
      tensors_(model_tensors(plan.model, plan.lora)),
      layout_(rank_layout(plan, tensors_, rank)) {
  if (gradients == Gradients::kept && takes_squares(device, plan))
    squares_ = device.zeros({1}, DType::fp64, MemoryCategory::buffers);
  for (const Domain domain : kDomains) {  // of which the copies in 8 bits below are told
    const auto d = static_cast<size_t>(domain);
    value_shards_[d] = shards_parameters(plan, domain);
    gradient_shards_[d] = shards_gradients(plan, domain);
    four_bits_[d] = plan.lora.base_bits != kUnquantizedBits && !is_trainable(domain);
  }
  for (const LocalTensor& local : layout_.tensors) {
    const TensorSpec& spec = spec_of(local);
    const auto it =
        parameters_.emplace(Key{spec.layer, spec.role, spec.expert, spec.lora}, Parameter{}).first;
    parameter_of_.push_back(&it->second);
    it->second.squares = squares_;
    if (plan.precision == Precision::fp8) prepare_fp8(plan, local, &it->second);
  }
  for (const Domain domain : kDomains) {
    allocate(plan, domain, gradients);
    if (has_4_bits(domain) && !keeps_value_shards(domain)) continue;
    const auto& buckets = layout_[domain].buckets;
    for (size_t b = 0; b < buckets.size(); ++b) {
      const Range range = buckets[b].range;
      const auto lend = [&](const Tensor& flat) {
        return flat.defined() ? flat.flat(range.begin, range.end, Shape{range.size()}) : Tensor();
      };
      bind_values(domain, static_cast<int>(b),
                  keeps_value_shards(domain) ? Tensor() : lend(values(domain)));
      bind_grads(domain, static_cast<int>(b),
                 keeps_gradient_shards(domain) ? Tensor() : lend(grads(domain)));
    }
  }
}

Shape ParameterStore::shape_of(const LocalTensor& local) const {
  const TensorSpec& spec = spec_of(local);
  const Box& box = local.box;
  const bool is_vector = spec.cols == 1 && spec.lora == LoraPart::none;
  return is_vector ? Shape{box.rows.size()} : Shape{box.rows.size(), box.cols.size()};
}

void ParameterStore::allocate(const Plan& plan, Domain domain, Gradients gradients) {
  const auto d = static_cast<size_t>(domain);
  const int64_t all = layout_[domain].num_elements, shards = layout_[domain].num_shard_elements;
  if (all == 0) return;
  if (four_bits_[d] && !value_shards_[d]) return allocate_in_4_bits(domain);
  if (four_bits_[d]) allocate_packed_shards(domain);
  const int64_t kept = value_shards_[d] ? shards : all;
  if (kept > 0) values_[d] = device_.zeros({kept}, dtype_, MemoryCategory::parameters);
  if (is_trainable(domain) && gradients == Gradients::kept) {
    grads_[d] = device_.zeros({gradient_shards_[d] ? shards : all}, gradient_dtype(plan.precision),
                              MemoryCategory::gradients);
  }
}

// Copies as stored_bytes() counts them. Products read 16 bytes of rows and of columns.
void ParameterStore::prepare_fp8(const Plan& plan, const LocalTensor& local, Parameter* parameter) {
  const TensorSpec& spec = spec_of(local);
  if (!is_block_product(spec.role) || spec.lora != LoraPart::none) return;
  const int64_t rows = local.box.rows.size(), cols = local.box.cols.size();
  if (rows % ops::kFp8Unit != 0 || cols % ops::kFp8Unit != 0) {
    throw ConfigError(concat("--precision fp8: ", spec.name, " is (", rows, ", ", cols,
                             ") on a rank of tp=", plan.mesh.tp, "; both must be multiples of ",
                             ops::kFp8Unit, "; valid: a smaller tp, or --precision bf16"));
  }
  parameter->is_multiplied_in_8_bits = true;
  if (keeps_value_shards(local.domain)) return;
  parameter->in_8_bits =
      ops::empty_fp8(device_, rows, cols, ops::Fp8Format::e4m3, MemoryCategory::parameters);
  parameter->turned_in_8_bits =
      ops::empty_fp8(device_, cols, rows, ops::Fp8Format::e4m3, MemoryCategory::parameters);
}

void ParameterStore::mark_values_changed() {
  for (const Parameter* parameter : parameter_of_) parameter->copies_are_old = true;
}

bool ParameterStore::keeps_value_shards(Domain domain) const {
  return value_shards_[static_cast<size_t>(domain)];
}

bool ParameterStore::keeps_gradient_shards(Domain domain) const {
  return gradient_shards_[static_cast<size_t>(domain)];
}

Tensor ParameterStore::shard_values(Domain domain, const Bucket& bucket, Range part) const {
  const Range range = keeps_value_shards(domain) ? bucket.in_shards(part) : part;
  return values(domain).flat(range.begin, range.end, Shape{range.size()});
}

std::vector<KeptPart> ParameterStore::kept(const LocalTensor& local) const {
  const Bucket& bucket = layout_.bucket_of(local);
  CHECK(!is_in_packed_shards(local), spec_of(local).name);
  if (is_in_4_bits(local)) return {{local.box, values_in_4_bits(local)}};
  if (!keeps_value_shards(local.domain)) return {{local.box, values_of(local, local.elements())}};
  Range part = intersect(local.elements(), bucket.shard);
  std::vector<KeptPart> parts;
  for (const Box& box :
       boxes_of_flat_range(local.box, {part.begin - local.offset, part.end - local.offset})) {
    parts.push_back(
        {box, shard_values(local.domain, bucket, {part.begin, part.begin + box.size()})});
    part.begin += box.size();
  }
  return parts;
}

void ParameterStore::bind(Domain domain, int bucket, const Tensor& memory,
                          Tensor Parameter::*view) {
  const int64_t begin = layout_[domain].buckets[static_cast<size_t>(bucket)].range.begin;
  for (size_t i = 0; i < layout_.tensors.size(); ++i) {
    const LocalTensor& local = layout_.tensors[i];
    if (local.domain != domain || local.bucket != bucket) continue;
    const Shape shape = shape_of(local);
    // Without memory the shape stays: layers are built from it.
    parameter_of_[i]->*view =
        memory.defined() ? memory.flat(local.offset - begin, local.elements().end - begin, shape)
                         : Tensor(nullptr, nullptr, shape, memory.dtype(), device_.device());
  }
}

void ParameterStore::bind_values(Domain domain, int bucket, const Tensor& memory) {
  const Bucket& of = layout_[domain].buckets[static_cast<size_t>(bucket)];
  if (is_packed_shard(domain, of)) return bind_packed(domain, bucket, memory);
  bind(domain, bucket, memory, &Parameter::value);
}

void ParameterStore::bind_grads(Domain domain, int bucket, const Tensor& memory) {
  bind(domain, bucket, memory, &Parameter::grad);
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

void ParameterStore::initialize(uint64_t seed, InitialValues which) {
  if (which == InitialValues::none) return;
  for (const LocalTensor& local : layout_.tensors) {
    if (which == InitialValues::adapters && spec_of(local).lora == LoraPart::none) continue;
    if (is_set_whole(local)) {
      const KeptPart tiles = empty_tiles_around(local);
      ops::initialize(device_, spec_of(local), tiles.box, seed, tiles.values);
      set_values(local, tiles);
      continue;
    }
    for (const KeptPart& part : kept(local)) {
      ops::initialize(device_, spec_of(local), part.box, seed,
                      part.values.view({part.box.rows.size(), part.box.cols.size()}));
    }
  }
}

// Tables are added to row by row. That of a tied head is the head's product first: a micro-batch
// passes the head before its gradient comes back to the embedding.
bool ParameterStore::is_first_a_product(const LocalTensor& local) const {
  const TensorSpec& spec = spec_of(local);
  if (spec.role == TensorRole::embedding) return tied_head_is_here_;
  return spec.cols > 1 && spec.role != TensorRole::position_embedding;
}

void ParameterStore::begin_grads() {
  count_products();
  mark_values_changed();  // between steps values may come from a checkpoint
  for (const Domain domain : kDomains) {
    const Tensor& shards = grads(domain);  // undefined where the domain is empty or frozen
    if (keeps_gradient_shards(domain) && shards.defined()) ops::fill_zero(device_, shards);
  }
  for (size_t i = 0; i < layout_.tensors.size(); ++i) {
    const LocalTensor& local = layout_.tensors[i];
    if (!is_trainable(local.domain) || keeps_gradient_shards(local.domain)) continue;
    if (is_first_a_product(local)) {
      parameter_of_[i]->grad_is_old = true;
    } else {
      ops::fill_zero(device_, parameter_of_[i]->grad);
    }
  }
}

void ParameterStore::count_products() {
  if (!squares_.defined()) return;
  ops::fill_zero(device_, squares_);
  for (size_t i = 0; i < layout_.tensors.size(); ++i) {
    parameter_of_[i]->has_squares = false;
    const LocalTensor& local = layout_.tensors[i];
    const bool is_counted = is_trainable(local.domain) && is_first_a_product(local);
    parameter_of_[i]->products_to_come = is_counted ? num_microbatches_ : 0;
  }
}

void ParameterStore::finish_grads() {
  for (const Parameter* parameter : parameter_of_) {
    if (!parameter->adds_to_grad()) ops::fill_zero(device_, parameter->grad);
  }
}

}  // namespace argosy
