// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Files of tensors as Hugging Face keeps them (github.com/huggingface/safetensors): the length of a
// JSON header, the header, then the data of all tensors without gaps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "planner/spec/types.h"

namespace argosy {

struct SafeTensor {
  std::string name;
  DType dtype = DType::fp32;
  std::vector<int64_t> shape;
  int64_t size_bytes() const;
};

// The row-major image of tensor `index`.
using TensorBytes = std::function<std::vector<unsigned char>(size_t index)>;

// Creates `path`, one tensor in memory at a time, and syncs it. Throws Error naming file and call.
void write_safetensors(const std::filesystem::path& path, const std::vector<SafeTensor>& tensors,
                       const TensorBytes& bytes_of);

}  // namespace argosy
