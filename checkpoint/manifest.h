// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a checkpoint holds and where: every extent is a rectangle of a logical tensor in global
// coordinates, so that a checkpoint knows nothing of the layout that wrote it. A checkpoint exists
// when its manifest does.
//
//   step_00001000/   manifest.json   shard_00000.h5 ... one per writing rank
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/types.h"

namespace argosy {

struct Extent {
  int shard = 0;        // index into Manifest::shards
  std::string dataset;  // path inside the file
  int64_t offset = 0;   // of the data in the file, bytes
  int64_t bytes = 0;
  Box box;  // global coordinates, row-major in the file
  uint32_t crc32c = 0;
};

struct StoredTensor {
  std::string name;  // logical tensor
  std::string kind;  // "parameter", "master", "exp_avg", "exp_avg_sq"
  int64_t rows = 0, cols = 1;
  DType dtype = DType::fp32;
  std::vector<Extent> extents;  // disjoint, together the whole tensor
};

struct StoredShard {
  std::string file;
  int64_t bytes = 0;
  uint32_t crc32c = 0;  // of the whole file, HDF5's own structures included
};

struct Manifest {
  int format_version = 1;
  int64_t step = 0;
  std::string plan_json;  // the plan that wrote it
  std::map<std::string, std::string>
      state;  // data cursor, seed, optimizer name: what a resume must know besides tensors
  std::vector<StoredShard> shards;
  std::vector<StoredTensor> tensors;
};

inline constexpr int kManifestFormatVersion = 1;
inline constexpr const char* kManifestFile = "manifest.json";

// The JSON document alone, one tensor a line.
std::string to_json(const Manifest& manifest);

// The file: the JSON document and a last line "crc32c XXXXXXXX" over everything before it.
std::string manifest_file_text(const Manifest& manifest);

// Throws Error naming `where` and the reason (truncated, wrong CRC, other format version, numbers
// that contradict each other). What is returned has been checked: extents lie within their shards
// and tensors, are disjoint and cover every tensor. Survives any input.
Manifest parse_manifest_file(std::string_view text, const std::string& where);

// The text of a checkpoint's manifest; Error when it is missing or larger than any manifest.
std::string read_manifest_text(const std::filesystem::path& checkpoint_dir);
Manifest read_manifest(const std::filesystem::path& checkpoint_dir);

// CRC-32C of `bytes` bytes; seed is the CRC of what stands before them, 0 at the start.
uint32_t crc32c(const void* data, int64_t bytes, uint32_t seed = 0);
uint32_t crc32c_by_table(const void* data, int64_t bytes, uint32_t seed = 0);  // without SSE4.2

// "parameter/model.norm.weight": how messages and tables name a stored tensor.
std::string full_name(const StoredTensor& tensor);

}  // namespace argosy
