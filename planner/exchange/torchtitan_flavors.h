// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// torchtitan's names of models (torchtitan/models/*/__init__.py, v0.2.2).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "planner/spec/model.h"

namespace argosy {

// The shapes behind its names. `config`: the file in configs/models that has them too, or "".
// ffn: of an expert where there are experts.
struct TorchtitanFlavor {
  const char *name, *flavor, *config;
  int64_t hidden, layers, heads, kv_heads, ffn, vocab, experts;
  bool ties_head;
};
std::span<const TorchtitanFlavor> torchtitan_flavors();
std::string torchtitan_flavor_names();  // "llama3 8B, ..."

bool has_shapes(const TorchtitanFlavor& flavor, const ModelSpec& model);
const TorchtitanFlavor* find_torchtitan_flavor(const ModelSpec& model);  // null: there is none

// Its config.json. DeepSeek's have no module for multi-token prediction there.
std::string flavor_json(const TorchtitanFlavor& flavor);

// Of the models of this name none can be cut into stages there.
bool has_no_pipeline(const std::string& name);

}  // namespace argosy
