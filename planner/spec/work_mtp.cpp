// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Multi-token prediction as DeepSeek-V3 trains it (arXiv:2412.19437, section 2.2): the norms of the
// last hidden state and of the next token's embedding, side by side, are projected to one vector;
// behind it come a block and the head, which it shares with the model, as it shares the embedding.
#include <algorithm>

#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

// Each rank projects its part of the sequence.
LinearWork projection(const RankShape& shape) {
  return linear(shape, TensorRole::mtp_projection, shape.split_tokens, 2 * shape.hidden,
                shape.hidden);
}

void prepend(Pass& pass, Pass first) {
  append(first, pass);
  pass = std::move(first);
}

// Put side by side, or taken apart again.
constexpr int64_t kHalves = 2;
void add_halves(Pass& pass, const RankShape& shape, int64_t count = kHalves) {
  add_memory_of_trainer(pass, 2 * count * shape.split_bytes(), count);
}

Pass entry_forward(const RankShape& shape) {
  Pass pass = embedding_forward(shape);
  add_memory(pass, 4 * shape.split_bytes(), 2);  // two norms
  add_halves(pass, shape);
  add_forward(pass, projection(shape));
  return pass;
}

// Of a frozen model the hidden state alone needs a gradient.
void add_entry_backward(Pass& pass, const RankShape& shape) {
  const LinearWork linear = projection(shape);
  // What the head before it made of its input, which is what it kept.
  add_memory_of_trainer(pass, 2 * shape.split_bytes(), 1);
  if (linear.reads_input_in_backward()) {
    add_memory(pass, 4 * shape.split_bytes(), 2);  // both normed inputs again
    add_halves(pass, shape);
  }
  add_backward(pass, linear);
  const int64_t num_norms = shape.is_frozen ? 1 : kHalves;
  add_halves(pass, shape, num_norms);
  // Backward of norms, into what is there of the state's gradient.
  add_memory(pass, 4 * num_norms * shape.split_bytes(), num_norms * norm_backward_launches(shape));
  append(pass, embedding_backward(shape));
}

// The head's part is gone when the block's begins, the block's when the entry's does.
void set_module_memory(LayerWork& work, const RankShape& shape, int64_t block_saved,
                       int64_t projection_added) {
  const int64_t head_saved = head_saved_bytes(shape);
  const auto above_start = [](int64_t bytes) { return std::max<int64_t>(0, bytes); };
  work.backward_extra_bytes = above_start(work.backward_extra_bytes - head_saved);
  const int64_t in_block = work.backward_input_extra_bytes - head_saved;
  const int64_t in_entry = work.deferred_bytes - block_saved - head_saved + projection_added;
  work.backward_input_extra_bytes = above_start(std::max(in_block, in_entry));
}

}  // namespace

int64_t mtp_projection_flops(const RankShape& whole) {
  Pass pass;
  add_forward(pass, projection(whole));
  add_backward(pass, projection(whole));
  return pass_flops(pass);
}

void add_mtp_work(LayerWork& work, const RankShape& shape) {
  const LinearWork linear = projection(shape);
  prepend(work.forward, entry_forward(shape));
  append(work.forward, head_forward(shape));
  prepend(work.backward, head_backward(shape));
  add_entry_backward(work.backward, shape);
  add_backward_weight(work.backward_weight, linear);
  DeferredBytes deferred;  // the gradient of the projection's output; its input
  add_deferred(deferred, linear);
  if (linear.reads_input_in_backward()) deferred.added += kHalves * shape.split_bytes();
  set_module_memory(work, shape, work.saved_bytes, deferred.added);
  work.deferred_bytes += deferred.kept + deferred.added;
  work.saved_bytes += shape.split_bytes() + 2 * norm_statistic_bytes(shape, shape.split_tokens) +
                      head_saved_bytes(shape);
  // What a module reads waits beside the head that made it. In the entry's backward, at most: both
  // inputs, normed and side by side, the gradients of all these but the second's.
  const int64_t of_entry = 10 * shape.split_bytes();
  work.workspace_bytes = std::max({work.workspace_bytes + 2 * shape.split_bytes(),
                                   head_workspace_bytes(shape) + shape.split_bytes(), of_entry});
}

}  // namespace argosy
