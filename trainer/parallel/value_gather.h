// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// ZeRO 3: the values of one bucket, of which each rank keeps a shard, whole on all of them.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

struct ValueGather {
  Tensor values;  // as ParameterStore::empty_bucket() makes them; there once `request` is complete
  Request request;  // declared last: destroyed, and so completed, first
};

// Collective in the group that shares the bucket's shards.
ValueGather start_value_gather(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                               int bucket, MemoryCategory category);

}  // namespace argosy
