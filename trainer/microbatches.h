// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The micro-batches of one step as this rank's stage needs them.
#pragma once

#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/layers/context.h"

namespace argosy {

// Slots [dp * global_batch/dp_degree, ...) of the step, cut into the plan's micro-batches. Every
// rank of a data-parallel group member (all stages, all tp ranks) reads the same tokens. `before`:
// those of an earlier step, whose tensors are written over where they have the size.
std::vector<Microbatch> read_microbatches(const LayerContext& ctx, const TokenSource& source,
                                          const SampleOrder& order, int64_t step,
                                          Epochs epochs = Epochs::all,
                                          std::vector<Microbatch> before = {});

// From the tokens of `batch` sequences. A context-parallel rank takes its part of each. Where the
// settings ask for documents, one begins where `tokens` say so and behind a token that ends one.
// first_slot: of the sequences in the global batch. before: as above.
Microbatch make_microbatch(const LayerContext& ctx, const Batch& tokens, int64_t batch,
                           int64_t seq_len, int64_t first_slot = 0, Microbatch before = {});

// Tokens of one text without targets, the first of which stands at `position`; on one rank, without
// document masks.
Microbatch make_text_microbatch(const LayerContext& ctx, const std::vector<int32_t>& tokens,
                                int64_t position);

// Unmasked tokens of these micro-batches, in this rank's part of the sequences: the next ones, then
// what each module for multi-token prediction predicts.
int64_t count_targets(const std::vector<Microbatch>& microbatches);
std::vector<double> count_all_targets(const Plan& plan,
                                      const std::vector<Microbatch>& microbatches);

// Weighs the modules' losses for an objective that is divided by the number of next tokens: each
// mean counts scaling_factor / modules. num_targets: as count_all_targets() has them, of all ranks.
void weigh_tokens_ahead(const std::vector<double>& num_targets, double scaling_factor,
                        std::vector<Microbatch>* microbatches);

}  // namespace argosy
