// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/kv_cache.h"

namespace argosy {

int64_t kv_elements_per_layer(const ModelSpec& model) {
  if (model.has_latent_attention()) return model.latent.kv_rank + model.latent.rope_dim;
  return 2 * model.num_kv_heads * model.head_dim;
}

int64_t kv_elements_per_token(const ModelSpec& model) {
  return kv_elements_per_layer(model) * model.num_layers;
}

}  // namespace argosy
