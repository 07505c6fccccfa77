// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace argosy {

// Bytes that hold weights of fewer bits (hf/mxfp4.h).
inline constexpr const char* kPackedDtype = "U8";

// A tensor of a mapped file, row-major.
struct FoundTensor {
  std::string dtype;  // as the file says: "F64", "F32", "F16", "BF16", or kPackedDtype
  std::vector<int64_t> shape;
  const unsigned char* data = nullptr;
  std::shared_ptr<const void> file;  // what keeps `data` mapped

  int64_t element_bytes() const;
};

// The tensors of a file by name. Throws ConfigError naming file and tensor for a dtype that no
// weight has, and where header and data contradict each other: nothing in the file is trusted.
std::map<std::string, FoundTensor> read_safetensors(const std::filesystem::path& path);

}  // namespace argosy
