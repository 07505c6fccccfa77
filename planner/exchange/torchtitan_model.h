// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which model a torchtitan job trains, and what its products are computed in.
#pragma once

#include <cstdint>
#include <string>

#include "planner/exchange/import.h"
#include "planner/spec/model.h"

namespace argosy {

class JsonObject;

struct TorchtitanModel {
  std::string name;  // of the model's kind: "llama3"
  int64_t num_layers = 0;
  bool has_moe = false;
};

// Fills run.model_config or run.model_json, unless the caller has the model (`given`, else null).
// `section`: [model]. Throws ConfigError naming the key: a flavor that nobody knows, or other
// shapes than `given` has.
TorchtitanModel read_torchtitan_model(JsonObject& section, const ModelSpec* given, PeerRun& run);

// Products in 8 bits, by the converters of [model] and their options in [quantize]: changes
// run.precision, which holds that of the other products. `root`: the whole job. Throws ConfigError
// for a part in 8 bits, which cannot be priced.
void read_torchtitan_converters(JsonObject& root, JsonObject& section, bool has_moe, PeerRun& run);

}  // namespace argosy
