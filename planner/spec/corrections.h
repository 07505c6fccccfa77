// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What past runs on a cluster say of the predictions for it: measured over predicted seconds, by
// kind of work. 1 is what the cluster file and the cost model say by themselves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/cluster.h"

namespace argosy {

struct Corrections {
  double matmul = 1, attention = 1, memory = 1;  // ops; the optimizer moves memory
  double all_reduce = 1, reduce_scatter = 1, all_gather = 1, all_to_all = 1;
  double rest = 1;  // of the step after all of these: waiting for slower ranks, what has no name

  int64_t num_runs = 0;  // 0: nothing was learned

  bool operator==(const Corrections&) const = default;
};

// Their names in files and tables, in the order of above.
struct CorrectionFactor {
  std::string_view name;
  double Corrections::*member;
};
const std::vector<CorrectionFactor>& correction_factors();

// The cluster whose predictions are corrected: its curves, rates of links and factors of
// collectives, `rest` in all of them. Peaks, by which MFU is counted, stay.
ClusterSpec corrected(ClusterSpec cluster, const Corrections& corrections);

// "matmul x1.18, all_reduce x1.40": those that differ from 1 by half a percent or more; "none".
std::string describe(const Corrections& corrections);

}  // namespace argosy
