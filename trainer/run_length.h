// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How long a run is where its options leave that to the data.
#pragma once

#include <cstdint>
#include <string>

#include "trainer/options.h"

namespace argosy {

// --epochs and --warmup-ratio as the steps that they are with so many samples to train on: as many
// as begin before the last pass is through, one at least; of warm-up rounded up.
void resolve_run_length(int64_t num_samples, int64_t global_batch, TrainOptions* options);

// "epochs   3 of 152 samples: 15 steps of 32, 1 of them warm-up"; "" where --steps was given.
std::string describe_run_length(int64_t num_samples, int64_t global_batch,
                                const TrainOptions& options);

}  // namespace argosy
