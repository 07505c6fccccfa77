// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/value_gather.h"

namespace argosy {

ValueGather start_value_gather(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                               int bucket, MemoryCategory category) {
  Communicator& group = ctx.groups[shard_axis(ctx.plan.mesh, domain)];
  ValueGather gather;
  gather.values = store.empty_bucket(domain, bucket, category);
  const Tensor shard = store.bucket_shard(domain, bucket);
  gather.request = group.start_all_gather(buffer_of(shard), buffer_of(gather.values),
                                          split_sizes(gather.values.size(), group.size()));
  return gather;
}

}  // namespace argosy
