// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tensors of ours in mapped files of Hugging Face's kind. For .cpp files of this folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/hf_place.h"
#include "checkpoint/hf/mxfp4.h"
#include "checkpoint/hf/safetensors_reader.h"
#include "planner/spec/model.h"

namespace argosy {

using FoundTensors = std::map<std::string, FoundTensor>;  // by their names there

// One of our tensors, and where it was found.
struct HfSource {
  TensorSpec spec;
  HfPlace place;
  FoundTensor found;
  // Of a weight in 4 bits, of which `found` has the blocks; else undefined.
  Mxfp4Place packed = {};
  FoundTensor scales = {};
};
using HfSources = std::map<std::string, HfSource>;  // by our names

// `found` as the tensor `name_there` of the model, in the shape that `place` says. Throws
// ConfigError naming folder and tensor.
HfSource hf_source(const std::filesystem::path& folder, const TensorSpec& spec,
                   const HfPlace& place, const std::string& name_there, const FoundTensor& found);

// The same of a weight in 4 bits.
HfSource packed_source(const std::filesystem::path& folder, const TensorSpec& spec,
                       const Mxfp4Place& place, const FoundTensor& blocks,
                       const FoundTensor& scales);

// Fills pieces, whatever their kind, converted to their dtypes: F64, F32, F16 or BF16 from any.
void fill(const HfSources& sources, const std::vector<TensorPiece>& pieces);

}  // namespace argosy
