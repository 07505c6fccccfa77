// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// HDF5 as a container that other tools can read, and nothing else: the library lays out groups,
// datasets and attributes and says where each dataset's bytes belong; it never touches tensor data.
// The reasons (its silence about damage and full disks) are in README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "planner/spec/layout.h"
#include "planner/spec/types.h"

namespace argosy {

struct DatasetSpec {
  std::string path;            // "/parameter/model.norm.weight/0_64_0_1"
  int64_t rows = 0, cols = 0;  // of the whole tensor, for human readers
  Box box;                     // what this dataset holds; its shape is (box.rows, box.cols)
  DType dtype = DType::fp32;
};

// Creates the file with one contiguous dataset, unwritten, for each spec, and returns their offsets
// in it, bytes. Throws Error naming the HDF5 call and HDF5's reason.
std::vector<int64_t> create_hdf5_structure(const std::filesystem::path& path, int64_t step,
                                           const std::vector<DatasetSpec>& datasets);

}  // namespace argosy
