// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of ops on one device: a roofline with efficiency curves.
#pragma once

#include <cstdint>

#include "planner/spec/cluster.h"
#include "planner/spec/types.h"
#include "planner/spec/work.h"

namespace argosy {

// Bytes read and written to make the 8-bit copies of a product's inputs, per byte of its operands
// and result in 16 bits: an estimate.
inline constexpr double kCastShare = 0.5;

// Seconds of all op.count ops: each max(flops / (peak * sustained_share * efficiency), bytes /
// (bandwidth * efficiency)) + op_overhead_s. The efficiency of matmul and attention depends on the
// FLOPs of one op, that of memory on its bytes. The peak of `precision` must not be 0. In fp8
// products with the weights of blocks run in 8 bits; attention, router, adapters and head run in
// bf16.
double op_seconds(const OpWork& op, const Accelerator& accelerator, Precision precision);

// What waves of tiles leave of the peak of a GPU for a product, at the best of the tiles and splits
// of the depth that libraries choose from: near 1 where full tiles fill all multiprocessors and the
// depth is long. `num_multiprocessors` > 0.
double tile_efficiency(const OpWork& product, int64_t num_multiprocessors);

// Sum over the ops of a pass, one after the other; collectives are not in it.
double compute_seconds(const Pass& pass, const Accelerator& accelerator, Precision precision);

// FLOPs of the ops of a pass.
int64_t total_flops(const Pass& pass);

// The cluster as `num_devices` ranks see it. Up to what its last tier joins it is the same machine,
// or more of it. Where ranks may share devices, beyond its size they do: rates and memory per rank
// shrink by num_devices / cluster.num_devices and overheads grow by it, in as many nodes as before.
ClusterSpec with_devices(const ClusterSpec& cluster, int64_t num_devices);

}  // namespace argosy
