// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A pass in the form in which tests count it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "planner/spec/work.h"

namespace argosy {

inline int64_t flops(const Pass& pass) {
  int64_t sum = 0;
  for (const OpWork& op : pass.ops) sum += op.flops * op.count;
  return sum;
}

// "all_gather over tp" -> sizes in order.
inline std::map<std::string, std::vector<int64_t>> collectives(const Pass& pass) {
  std::map<std::string, std::vector<int64_t>> result;
  for (const CollectiveWork& work : pass.collectives) {
    std::vector<int64_t>& sizes =
        result[std::string(to_string(work.kind)) + " over " + std::string(to_string(work.axis))];
    sizes.insert(sizes.end(), static_cast<size_t>(work.count), work.bytes);
  }
  return result;
}
using Calls = std::map<std::string, std::vector<int64_t>>;
inline std::vector<int64_t> times(size_t count, int64_t bytes) {
  return std::vector<int64_t>(count, bytes);
}

}  // namespace argosy
