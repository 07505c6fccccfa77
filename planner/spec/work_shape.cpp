// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/work_shape.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "planner/spec/integers.h"
#include "planner/spec/nf4.h"

namespace argosy {

namespace {

// Keys that the queries of one sequence attend to, all queries together.
int64_t pairs_per_sequence(const Plan& plan, AttentionPairs pairs, int64_t window) {
  const int64_t length = plan.seq_len;
  if (pairs == AttentionPairs::full) return length * length;
  if (window <= 0 || window >= length) return length * (length + 1) / 2;
  return window * (window + 1) / 2 + (length - window) * window;
}

// The plan's micro-batch on a rank of this mesh, which has so many of its tokens.
RankShape shape_on(const Mesh& mesh, const Plan& plan, int64_t tokens, int64_t tp_index,
                   AttentionPairs pairs) {
  const ModelSpec& model = plan.model;
  const int64_t tp = mesh.tp;
  RankShape shape{.model = model, .lora = plan.lora};
  shape.is_frozen = plan.lora.rank > 0;
  shape.tp = tp;
  shape.ep = mesh.ep;
  shape.etp = mesh.etp;
  shape.cp = mesh.cp;
  shape.cp_kind = plan.cp_kind;
  shape.sequence_parallel = plan.sequence_parallel && tp > 1;
  shape.tokens = tokens;
  shape.split_tokens = shape.sequence_parallel ? shape.tokens / tp : shape.tokens;
  shape.hidden = model.hidden_size;
  shape.head_dim = model.head_dim;
  shape.value_dim = model.value_dim();
  shape.q_heads = model.num_heads / tp;
  shape.kv_heads = std::max<int64_t>(1, model.num_kv_heads / tp);
  shape.ffn = model.ffn_size / tp;
  shape.vocab = split_range(model.vocab_size, tp, tp_index).size();
  shape.head_chunk_tokens =
      head_chunk_tokens(tokens, split_range(model.vocab_size, tp, 0).size(), plan.precision);
  shape.experts = model.moe.num_experts;
  shape.top_k = model.moe.top_k;
  shape.expert_rows = shape.etp * shape.split_tokens * shape.top_k;
  shape.exchanged_rows = shape.split_tokens * shape.top_k;
  shape.local_experts = shape.experts / shape.ep;
  shape.expert_ffn = model.moe.ffn_size / mesh.etp;
  shape.shared_ffn = model.moe.shared_ffn_size / tp;
  shape.pairs = plan.micro_batch * pairs_per_sequence(plan, pairs, 0);
  shape.window_pairs = plan.micro_batch * pairs_per_sequence(plan, pairs, model.sliding_window);
  shape.element_bytes = size_in_bytes(compute_dtype(plan.precision));
  shape.statistic_bytes = size_in_bytes(statistic_dtype(plan.precision));
  return shape;
}

}  // namespace

RankShape rank_shape(const Plan& plan, int64_t tp_index, AttentionPairs pairs) {
  return shape_on(plan.mesh, plan, plan.tokens_per_microbatch(), tp_index, pairs);
}

RankShape whole_shape(const Plan& plan, AttentionPairs pairs) {
  return shape_on(Mesh{}, plan, plan.micro_batch * plan.seq_len, 0, pairs);
}

void load_experts(RankShape& shape, double expert_load) {
  const auto loaded = [&](int64_t rows) {
    return static_cast<int64_t>(std::ceil(static_cast<double>(rows) * expert_load));
  };
  shape.expert_rows = loaded(shape.expert_rows);
  shape.exchanged_rows = loaded(shape.exchanged_rows);
}

int64_t LinearWork::num_dequantized() const {
  int64_t num_weights = 0;
  for (const RowGroup& group : groups) num_weights += group.rows > 0 ? group.count : 0;
  return is_quantized ? num_weights : 0;
}

int64_t LinearWork::dequantized_bytes() const {
  return is_quantized ? inputs * outputs * element_bytes : 0;
}

int64_t dequantized_workspace_bytes(const std::vector<LinearWork>& linears,
                                    const LinearWork& last) {
  int64_t largest = last.dequantized_bytes();
  for (const LinearWork& l : linears) largest = std::max(largest, l.dequantized_bytes());
  return largest;
}

int64_t LinearWork::num_rows() const {
  int64_t rows = 0;
  for (const RowGroup& group : groups) rows += group.rows * group.count;
  return rows;
}

LinearWork linear(const RankShape& shape, TensorRole role, int64_t rows, int64_t inputs,
                  int64_t outputs) {
  LinearWork work;
  work.groups.front() = {rows, 1};
  work.inputs = inputs;
  work.outputs = outputs;
  work.element_bytes = shape.element_bytes;
  work.is_trainable = !shape.is_frozen;
  work.is_block_product = is_block_product(role);
  work.block_product = block_product(role);
  work.is_quantized = shape.is_frozen && is_quantized(shape.lora, role);
  if (shape.is_frozen && is_lora_target(shape.model, shape.lora, role)) {
    work.lora_rank = shape.lora.rank;
  }
  return work;
}

LinearWork expert_linear(const RankShape& shape, TensorRole role, int64_t inputs, int64_t outputs) {
  LinearWork work = linear(shape, role, 0, inputs, outputs);
  const int64_t rows = shape.expert_rows / shape.local_experts;
  const int64_t num_longer = shape.expert_rows % shape.local_experts;
  work.groups = {RowGroup{rows + 1, num_longer}, {rows, shape.local_experts - num_longer}};
  return work;
}

void add_matmul(Pass& pass, int64_t rows, int64_t cols, int64_t inner, int64_t element_bytes,
                int64_t count, bool is_block_product) {
  if (rows == 0 || cols == 0 || inner == 0 || count == 0) return;
  OpWork op;
  op.kind = OpKind::matmul;
  op.flops = 2 * rows * cols * inner;
  op.bytes = (rows * inner + cols * inner + rows * cols) * element_bytes;
  op.count = count;
  op.rows = rows;
  op.cols = cols;
  op.depth = inner;
  op.is_block_product = is_block_product;
  pass.ops.push_back(op);
  pass.num_launches += count;
}

OpWork* add_memory(Pass& pass, int64_t bytes, int64_t launches) {
  if (bytes == 0) return nullptr;
  OpWork op;
  op.bytes = bytes;
  pass.ops.push_back(op);
  pass.num_launches += launches;
  return &pass.ops.back();
}

void add_memory_again(Pass& pass, int64_t bytes) {
  if (OpWork* op = add_memory(pass, bytes)) op->is_computed_again = true;
}

void add_memory_of_trainer(Pass& pass, int64_t bytes, int64_t launches) {
  if (OpWork* op = add_memory(pass, bytes, launches)) op->is_of_trainer = true;
}

int64_t norm_backward_launches(const RankShape& shape) {
  const int64_t num_parameters = shape.model.norm == NormKind::layer ? 2 : 1;
  return 1 + (shape.is_frozen ? 0 : num_parameters);
}

int64_t sort_launches(int64_t num_keys) {
  constexpr int64_t kDigitBits = 8, kLaunchesOfDigit = 3;
  const auto bits = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(num_keys)));
  return kLaunchesOfDigit * std::max<int64_t>(1, ceil_div(bits, kDigitBits));
}

namespace {

// The products of each group; of the first alone they are launches: one kernel multiplies all
// experts.
template <typename AddProducts>
void for_each_group(Pass& pass, const LinearWork& l, const AddProducts& add_products) {
  bool is_first = true;
  for (const RowGroup& group : l.groups) {
    if (group.rows == 0 || group.count == 0) continue;
    const int64_t launches = pass.num_launches;
    add_products(group.rows, group.count);
    const int64_t of_expert = (pass.num_launches - launches) / group.count;
    pass.num_launches = launches + (is_first ? of_expert : 0);
    is_first = false;
  }
}

// The product of the Linear's own weight: y = x W^T, dx = dy W or dW = dy^T x.
void add_product(Pass& pass, const LinearWork& l, ProductOf product_of, int64_t rows,
                 int64_t count) {
  const size_t before = pass.ops.size();
  const bool is_block_product = l.is_block_product;
  switch (product_of) {
    case ProductOf::output:
      add_matmul(pass, rows, l.outputs, l.inputs, l.element_bytes, count, is_block_product);
      break;
    case ProductOf::input_gradient:
      add_matmul(pass, rows, l.inputs, l.outputs, l.element_bytes, count, is_block_product);
      break;
    case ProductOf::weight_gradient:
      add_matmul(pass, l.outputs, l.inputs, rows, l.element_bytes, count, is_block_product);
      break;
  }
  if (pass.ops.size() == before) return;
  pass.ops.back().product_of = product_of;
  pass.ops.back().block_product = l.block_product;
}

// Each weight is read in NF4 and written in the compute dtype before its product: those of experts
// are multiplied with one by one.
void add_dequantization(Pass& pass, const LinearWork& l) {
  const int64_t count = l.num_dequantized();
  if (count == 0) return;
  const int64_t bytes = nf4_bytes({{0, l.outputs}, {0, l.inputs}}) + l.dequantized_bytes();
  add_memory(pass, count * bytes, count);
  pass.num_launches += count - 1;
}

}  // namespace

void add_adapter_input(Pass& pass, const LinearWork& l) {
  for_each_group(pass, l, [&](int64_t rows, int64_t count) {
    add_matmul(pass, rows, l.lora_rank, l.inputs, l.element_bytes, count);  // u = x A^T
  });
}

void add_output(Pass& pass, const LinearWork& l) {
  add_dequantization(pass, l);
  for_each_group(pass, l, [&](int64_t rows, int64_t count) {
    add_product(pass, l, ProductOf::output, rows, count);
    add_matmul(pass, rows, l.outputs, l.lora_rank, l.element_bytes, count);  // y += scale u B^T
  });
}

void add_forward(Pass& pass, const LinearWork& l) {
  add_adapter_input(pass, l);
  add_output(pass, l);
}

void add_backward(Pass& pass, const LinearWork& l) {
  add_dequantization(pass, l);
  for_each_group(pass, l, [&](int64_t rows, int64_t count) {
    add_product(pass, l, ProductOf::input_gradient, rows, count);
    if (l.is_trainable) add_product(pass, l, ProductOf::weight_gradient, rows, count);
    add_matmul(pass, rows, l.lora_rank, l.outputs, l.element_bytes, count);  // du = dy B
    add_matmul(pass, l.outputs, l.lora_rank, rows, l.element_bytes, count);  // dB = dy^T u
    add_matmul(pass, l.lora_rank, l.inputs, rows, l.element_bytes, count);   // dA = du^T x
    add_matmul(pass, rows, l.inputs, l.lora_rank, l.element_bytes, count);   // dx += du A
  });
}

void add_backward_weight(Pass& pass, const LinearWork& l) {
  for_each_group(pass, l, [&](int64_t rows, int64_t count) {
    if (l.is_trainable) add_product(pass, l, ProductOf::weight_gradient, rows, count);
    add_matmul(pass, l.outputs, l.lora_rank, rows, l.element_bytes, count);
    add_matmul(pass, l.lora_rank, l.inputs, rows, l.element_bytes, count);
  });
}

void append(Pass& pass, const Pass& more) {
  pass.ops.insert(pass.ops.end(), more.ops.begin(), more.ops.end());
  pass.collectives.insert(pass.collectives.end(), more.collectives.begin(), more.collectives.end());
  pass.num_launches += more.num_launches;
}

void add_collective(Pass& pass, CollectiveKind kind, Axis axis, int64_t bytes, int64_t group_size) {
  if (group_size > 1 && bytes > 0) pass.collectives.push_back({kind, axis, bytes});
}

void add_tp_gather(Pass& pass, const RankShape& shape) {
  if (!shape.sequence_parallel) return;
  add_collective(pass, CollectiveKind::all_gather, Axis::tp, shape.full_bytes(), shape.tp);
}

void add_tp_reduce(Pass& pass, const RankShape& shape) {
  const CollectiveKind kind =
      shape.sequence_parallel ? CollectiveKind::reduce_scatter : CollectiveKind::all_reduce;
  add_collective(pass, kind, Axis::tp, shape.full_bytes(), shape.tp);
}

int64_t pass_flops(const Pass& pass) {
  int64_t flops = 0;
  for (const OpWork& op : pass.ops) flops += op.flops * op.count;
  return flops;
}

int64_t norm_statistic_bytes(const RankShape& shape, int64_t rows) {
  return rows * shape.statistic_bytes * (shape.model.norm == NormKind::layer ? 2 : 1);
}

}  // namespace argosy
