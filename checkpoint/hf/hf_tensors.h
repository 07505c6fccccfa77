// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which stored tensors make which tensor of Hugging Face. For .cpp files of this folder.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/hf/hf_place.h"
#include "checkpoint/hf/safetensors.h"
#include "checkpoint/manifest.h"
#include "planner/spec/plan.h"

namespace argosy {

// A stored tensor of which one there is made, or a part of it.
struct HfPart {
  const StoredTensor* stored = nullptr;
  const StoredTensor* lora_a = nullptr;  // (r, cols), of a Linear with an adapter
  const StoredTensor* lora_b = nullptr;  // (rows, r)
  HfPlace place = {};
};

struct HfTensor {
  SafeTensor header;
  std::vector<HfPart> parts;
};

// The model's tensors in the order of the network; they point into `manifest`.
std::vector<HfTensor> hf_tensors(const Plan& plan, const Manifest& manifest);

// The factors of a LoRA job with PEFT's names, masters where there are any. Throws as peft_place.
std::vector<HfTensor> peft_tensors(const Plan& plan, const Manifest& manifest);

}  // namespace argosy
