// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a checkpoint saves of packed buckets in shards (planner/spec/layout.h). No byte of a shard
// is a number by itself, so a save gathers one bucket after the other and keeps what the rank owns
// of it on the host, in NF4 what is in NF4: a device has no room planned for it.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// Collective. Parameters of packed shards that this rank stands for; they are made into values
// where they are read.
std::vector<TensorPiece> owned_packed_pieces(const LayerContext& ctx, const ParameterStore& store);

}  // namespace argosy
