// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How large the jobs of a measurement are: a GPU is a thousand cores, and its steps are as large.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/types.h"

namespace argosy {

struct MeasureSizes {
  struct Sequences {
    int64_t batch, length;
  };
  std::vector<DType> product_dtypes;
  std::vector<int64_t> products;  // n of about n x n x n
  DType attention_dtype;
  std::vector<int64_t> head_dims;
  int64_t attention_width;  // of all heads together
  std::vector<Sequences> attention;
  std::vector<int64_t> memory_bytes;   // of one array
  int64_t stream_bytes;                // of one array: well beyond the caches
  int64_t cold_bytes;                  // beyond the share of the last cache
  int64_t arena_bytes;                 // the largest job and what alignment loses
  std::vector<int64_t> payload_bytes;  // of collectives
};

// Throws nothing. The largest jobs of a GPU take 6 GiB of its memory.
MeasureSizes measure_sizes(Device device);

}  // namespace argosy
