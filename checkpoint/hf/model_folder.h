// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights from a folder of Hugging Face: config.json and model.safetensors, or its parts by
// model.safetensors.index.json.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/safetensors_reader.h"
#include "comm/communicator.h"
#include "planner/spec/model.h"

namespace argosy {

// It has a config.json, and is no checkpoint of ours.
bool is_hf_folder(const std::filesystem::path& path);

class HfModel {
 public:
  // Finds the model's tensors and maps their files; values are not read. Every tensor must be there
  // in the model's shape, and all must belong to it. Throws ConfigError naming file and tensor.
  HfModel(const std::filesystem::path& folder, const ModelSpec& model);

  // Fills pieces of kind "parameter", converted to their dtypes: F64, F32, F16 or BF16 from any.
  void fill(const std::vector<TensorPiece>& pieces) const;

 private:
  struct Source {
    TensorSpec spec;
    FoundTensor found;
    HfPlace place;
  };
  std::map<std::string, Source> tensors_;  // by our name
};

// Collective. Both; each rank reads what it wants from the mapped files. All ranks throw if one
// does.
void load_hf_model(Communicator& world, const std::filesystem::path& folder, const ModelSpec& model,
                   const std::vector<TensorPiece>& pieces);

}  // namespace argosy
