// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a device needs beside the bytes of tensors, and how sure that is: "fits with 97%".
//
//   need = context + buffers of communicators + tensors (1 + f) + rows of experts * g
//
// f: what the allocator holds beyond what is allocated; g: rows that routing sends to the rank
// beyond the mean. Both are taken as normal, so that the need is, too; the other terms are exact.
// Clusters that do not give context_bytes have no band: a plan fits or not, by reserved_bytes.
#pragma once

#include <cstdint>

#include "planner/cost/job.h"

namespace argosy {

// f over the 43 runs of SimuMax's B200 release v1.2 (tests/golden/simumax_reserved.csv; its rows
// are of Megatron-LM with torch's allocator): mean and standard deviation; the largest is 0.093.
inline constexpr double kFragmentationMean = 0.0484, kFragmentationDeviation = 0.0178;

// Load of the fullest expert over the mean less 1, MaxVio, of models balanced by an auxiliary loss:
// 0.72 and 0.52 (arXiv:2408.15664 table 2, from memory; 64 experts). The largest of 64 normal draws
// is 2.37 deviations above the mean: an expert's load deviates by 0.72 / 2.37 of it. A rank with
// several experts averages over them.
inline constexpr double kExpertLoadDeviation = 0.30;

// What a plan must have where nobody says otherwise: of ten jobs one may have to give way a little.
inline constexpr double kUsualFitProbability = 0.9;

// A channel of a communicator has a buffer for each protocol: 4 MiB (Simple), 640 threads * 120 * 8
// steps * 8 bytes (LL128), 512 threads * 8 * 8 steps * 16 bytes (LL); init.cc and device.h of
// github.com/NVIDIA/nccl.
inline constexpr int64_t kNcclChannelBytes =
    (int64_t{4} << 20) + int64_t{640} * 120 * 8 * 8 + int64_t{512} * 8 * 8 * 16;

// Buffers of the communicators of the mesh's groups with more than one rank, on the rank that is in
// most of them: NCCL makes one with a group's first call.
int64_t communicator_bytes(const Job& job, const Mesh& mesh);

// Tensors of the fullest rank, and of them the rows of experts that routing decides.
struct TensorBytes {
  int64_t all = 0, routed = 0;
};

// Probability that they fit. Without a band 0 or 1.
double fits_probability(const Job& job, const Candidate& candidate, const TensorBytes& tensors);

// Most bytes of tensors, of which so many are routed, that fit with job.fit_probability; where that
// is 0, unreserved_bytes().
int64_t usable_bytes(const Job& job, const Candidate& candidate, int64_t routed_bytes);

}  // namespace argosy
