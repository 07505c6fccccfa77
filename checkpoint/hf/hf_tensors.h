// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which stored tensors make which tensor of Hugging Face. For .cpp files of this folder.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/hf/safetensors.h"
#include "checkpoint/manifest.h"
#include "planner/spec/plan.h"

namespace argosy {

// Where one of our tensors lies there: as it is, or transposed with its first output in column
// `first_col`.
struct HfPlace {
  std::string name;
  std::vector<int64_t> shape;  // of the whole tensor there
  bool transposed = false;
  int64_t first_col = 0;
};
HfPlace hf_place(const ModelSpec& model, const TensorSpec& spec);

// The same of a factor of an adapter in PEFT's file. Throws ConfigError where PEFT has no tensor
// like it: q, k and v of GPT-2 have an adapter each here, one of c_attn there.
HfPlace peft_place(const TensorSpec& spec);

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

// The model's tensors in the order of the network; they point into `manifest`. GPT-2's Linears are
// transposed there, and q, k and v one c_attn (model.h).
std::vector<HfTensor> hf_tensors(const Plan& plan, const Manifest& manifest);

// The factors of a LoRA job with PEFT's names, masters where there are any. Throws as peft_place.
std::vector<HfTensor> peft_tensors(const Plan& plan, const Manifest& manifest);

}  // namespace argosy
