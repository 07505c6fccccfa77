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
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/types.h"

namespace argosy {

struct Extent {
  int shard = 0;        // shard_NNNNN.h5
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

// The last line of the file is the CRC-32C of everything before it. Reading throws Error naming
// file and reason (missing, truncated, wrong CRC, newer format).
std::string to_json(const Manifest& manifest);
Manifest read_manifest(const std::filesystem::path& checkpoint_dir);

uint32_t crc32c(const void* data, int64_t bytes, uint32_t seed = 0);

}  // namespace argosy
