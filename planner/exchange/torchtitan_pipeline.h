// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Schedule and stages of a torchtitan job.
#pragma once

#include <cstdint>

#include "planner/exchange/import.h"

namespace argosy {

class JsonObject;

struct TorchtitanPipeline {
  int64_t pp = 1, num_layers = 0;
  bool is_sharded = false;  // parameters and gradients, by FSDP
};

// Adds schedule, virtual_stages and layers to run.fix; without a pipeline its keys have no effect.
// `parallelism`: the section. Throws ConfigError naming the key.
void read_torchtitan_pipeline(JsonObject& parallelism, const TorchtitanPipeline& facts,
                              PeerRun& run);

}  // namespace argosy
