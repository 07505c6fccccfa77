// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a model that writes text keeps of each token.
#pragma once

#include <cstdint>

#include "planner/spec/model.h"

namespace argosy {

// Elements of one token's keys and values in a layer: 2 * key/value heads * head size, or the
// latent vector and the part of a key that turns.
int64_t kv_elements_per_layer(const ModelSpec& model);
// The same in all layers, windows aside.
int64_t kv_elements_per_token(const ModelSpec& model);

}  // namespace argosy
