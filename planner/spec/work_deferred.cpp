// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A backward pass in two halves: the work that waits, and what it keeps alive until then.
#include <algorithm>

#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

bool any_reads_input(const std::vector<LinearWork>& linears) {
  return std::any_of(linears.begin(), linears.end(),
                     [](const LinearWork& l) { return l.reads_input_in_backward(); });
}

DeferredBytes mlp_half_deferred(const RankShape& shape, bool is_moe) {
  return is_moe ? moe_deferred_bytes(shape) : mlp_deferred_bytes(shape, dense_mlp(shape));
}

}  // namespace

void add_deferred(DeferredBytes& bytes, const LinearWork& linear) {
  if (!linear.reads_input_in_backward()) return;
  bytes.added += linear.output_bytes() + linear.adapter_bytes();  // dy, du
  bytes.kept += linear.adapter_bytes();                           // u
}

DeferredBytes mlp_deferred_bytes(const RankShape& shape, const MlpWork& mlp) {
  DeferredBytes bytes;
  for (const LinearWork& l : mlp.in) add_deferred(bytes, l);
  if (any_reads_input(mlp.in)) bytes.added += shape.full_bytes();
  add_deferred(bytes, mlp.down);
  if (mlp.down.reads_input_in_backward()) {
    bytes.added += mlp.down.num_rows() * mlp.down.inputs * shape.element_bytes;  // activation
  }
  return bytes;
}

Pass block_backward_weight(const RankShape& shape, bool is_moe) {
  Pass pass;
  if (is_moe) {
    add_moe_backward_weight(pass, shape);
  } else {
    add_mlp_backward_weight(pass, dense_mlp(shape));
  }
  add_attention_backward_weight(pass, shape);
  return pass;
}

void add_mlp_backward_weight(Pass& pass, const MlpWork& mlp) {
  add_backward_weight(pass, mlp.down);
  for (const LinearWork& l : mlp.in) add_backward_weight(pass, l);
}

// The first half frees what the MLP kept before attention adds its part; the rest goes at its end.
void set_backward_memory(LayerWork& work, const RankShape& shape, bool is_moe,
                         Recompute recompute) {
  const DeferredBytes mlp = mlp_half_deferred(shape, is_moe);
  const DeferredBytes attention = attention_deferred_bytes(shape, recompute);
  // What running the block again adds: all that it keeps but its input, which is there already.
  const int64_t again =
      recompute == Recompute::full ? block_saved_bytes(shape, is_moe) - shape.split_bytes() : 0;
  const int64_t mlp_saved =
      is_moe ? moe_saved_bytes(shape) : mlp_saved_bytes(shape, dense_mlp(shape));
  work.backward_extra_bytes = again;
  work.backward_input_extra_bytes =
      again + mlp.added + std::max<int64_t>(0, attention.added - (mlp_saved - mlp.kept));
  work.deferred_bytes = mlp.kept + mlp.added + attention.kept + attention.added;
}

}  // namespace argosy
