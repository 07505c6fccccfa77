// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where a tensor of ours lies in one of Hugging Face's. For .cpp files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

// A tensor there, and how ours (rows, cols) lies in it: element (row, col) is its element first +
// row * row_step + col * col_step.
struct HfPlace {
  std::string name;
  std::vector<int64_t> shape;  // of the whole tensor there
  bool is_ours = true;         // element for element; else:
  int64_t first = 0, row_step = 0, col_step = 0;
};

// GPT-2's Linears are transposed there, and q, k and v one c_attn; gpt-oss' experts are stacked
// (TensorSpec in planner/spec/model.h).
HfPlace hf_place(const ModelSpec& model, const TensorSpec& spec);

inline constexpr std::string_view kPeftPrefix = "base_model.model.";

// The same of a factor of an adapter in PEFT's file. Throws ConfigError where PEFT has no tensor
// like it: q, k and v of GPT-2 have an adapter each here, one of c_attn there.
HfPlace peft_place(const TensorSpec& spec);

// Row-major images of ours and of the tensor there, of elements of 2, 4 or 8 bytes: ours out of
// there, and ours into there. The place is not `is_ours`.
struct HfImages {
  int64_t rows = 0, cols = 0;  // of ours
  int64_t element_bytes = 0;
};
void copy_from_place(const HfPlace& place, const HfImages& images, const unsigned char* there,
                     unsigned char* ours);
void copy_to_place(const HfPlace& place, const HfImages& images, const unsigned char* ours,
                   unsigned char* there);

}  // namespace argosy
