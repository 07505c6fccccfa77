// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The two ends of the network: embedding, and final norm with the head and its loss.
#include <algorithm>

#include "planner/spec/gpu_scratch.h"
#include "planner/spec/work_shape.h"

namespace argosy {

Pass embedding_forward(const RankShape& shape) {
  Pass pass;
  add_memory(pass, 2 * shape.full_bytes());
  add_tp_reduce(pass, shape);  // rows of other ranks' vocabulary are zeros here
  if (shape.model.position == PositionKind::learned) add_memory(pass, 3 * shape.split_bytes());
  return pass;
}

// A frozen table needs no gradient: what arrives is dropped.
Pass embedding_backward(const RankShape& shape) {
  Pass pass;
  if (shape.is_frozen) return pass;
  add_tp_gather(pass, shape);  // dy
  // Rows of a token are added one after the other, once tokens are sorted.
  int64_t launches = sort_launches(shape.vocab) + 1;
  if (shape.model.position == PositionKind::learned) {
    launches += sort_launches(shape.model.max_positions) + 1;
  }
  add_memory(pass, 3 * shape.full_bytes(), launches);
  return pass;
}

namespace {

// Logits of `rows` tokens, their loss, and both gradients, `count` times.
void add_head_chunk(Pass& pass, const RankShape& shape, int64_t rows, int64_t count) {
  const int64_t z = shape.statistic_bytes, e = shape.element_bytes;
  if (rows == 0 || count == 0) return;
  const size_t first = pass.ops.size();
  add_matmul(pass, rows, shape.vocab, shape.hidden, e, count);
  OpWork cross_entropy;
  cross_entropy.bytes = 4 * rows * shape.vocab * z;  // maximum; sum; gradient read and written
  cross_entropy.count = count;
  pass.ops.push_back(cross_entropy);
  // Sums and gradient; two to add up the losses; of all ranks, a copy and sums scaled anew.
  pass.num_launches += count * (shape.tp > 1 ? 6 : 4);
  if (shape.tp > 1) {  // maximum; sum of exponentials and the target's logit in one call
    pass.collectives.push_back({CollectiveKind::all_reduce, Axis::tp, rows * z, count});
    pass.collectives.push_back({CollectiveKind::all_reduce, Axis::tp, 2 * rows * z, count});
  }
  add_matmul(pass, rows, shape.hidden, shape.vocab, e, count);  // gradient of the hidden state
  if (!shape.is_frozen) add_matmul(pass, shape.vocab, shape.hidden, rows, e, count);  // dW
  for (size_t i = first; i < pass.ops.size(); ++i) pass.ops[i].is_of_logits = true;
}

}  // namespace

Pass head_forward(const RankShape& shape) {
  Pass pass;
  const int64_t chunk = shape.head_chunk_tokens;
  add_memory(pass, 2 * shape.split_bytes());  // norm
  if (shape.model.num_mtp_modules > 0) {
    add_memory_of_trainer(pass, 2 * shape.hidden * shape.element_bytes, 1);  // its gain
  }
  add_tp_gather(pass, shape);
  add_head_chunk(pass, shape, chunk, shape.tokens / chunk);
  add_head_chunk(pass, shape, shape.tokens % chunk, 1);
  add_tp_reduce(pass, shape);  // gradient of the normed hidden state
  return pass;
}

Pass head_backward(const RankShape& shape) {
  Pass pass;
  add_memory(pass, 4 * shape.split_bytes(), norm_backward_launches(shape));
  return pass;
}

// Modules for multi-token prediction make the normed state again, of the norm's gain as it was.
int64_t head_saved_bytes(const RankShape& shape) {
  const int64_t gain = shape.model.num_mtp_modules > 0 ? shape.hidden * shape.element_bytes : 0;
  return 2 * shape.split_bytes() + norm_statistic_bytes(shape, shape.split_tokens) + gain;
}

// The normed input and its gradient, gathered and split, and one chunk's logits, which become their
// gradient in place; where that is narrower, its first row waits beside them, and on a GPU rows are
// whole 16 bytes of it.
int64_t head_workspace_bytes(const RankShape& shape) {
  const int64_t chunk = std::min(shape.head_chunk_tokens, shape.tokens);
  const int64_t logits = (chunk * shape.statistic_bytes + shape.element_bytes) *
                         padded_gpu_columns(shape.element_bytes, shape.vocab);
  return 2 * shape.full_bytes() + 2 * shape.split_bytes() + logits +
         4 * chunk * shape.statistic_bytes;
}

}  // namespace argosy
