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

Pass entry_forward(const RankShape& shape) {
  Pass pass = embedding_forward(shape);
  add_memory(pass, 4 * shape.split_bytes());  // two norms
  add_forward(pass, projection(shape));
  return pass;
}

void add_entry_backward(Pass& pass, const RankShape& shape) {
  add_memory(pass, 4 * shape.split_bytes());  // both normed inputs again
  add_backward(pass, projection(shape));
  add_memory(pass, 8 * shape.split_bytes());  // norms backward, the hidden state's gradient joined
  append(pass, embedding_backward(shape));
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
  work.saved_bytes += shape.split_bytes() + 2 * norm_statistic_bytes(shape, shape.split_tokens) +
                      head_saved_bytes(shape);
  DeferredBytes deferred;
  add_deferred(deferred, linear);
  if (linear.reads_input_in_backward()) deferred.added += 2 * shape.split_bytes();
  work.deferred_bytes += deferred.kept + deferred.added;
  work.backward_input_extra_bytes += deferred.added;
  work.workspace_bytes =
      std::max(work.workspace_bytes + 2 * shape.split_bytes(), head_workspace_bytes(shape));
}

}  // namespace argosy
