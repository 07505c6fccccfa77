// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Constants of NCCL's tuner (src/graph/tuning.cc, github.com/NVIDIA/nccl, version 2.27 to 2.30) and
// of measurements with nccl-tests on 8-GPU H100 nodes (published in nccl_cost_model.py of
// github.com/meta-pytorch/autoparallel). Triples are by protocol: LL, LL128, Simple.
#pragma once

#include <array>
#include <cstddef>

#include "planner/spec/cluster.h"

namespace argosy::nccl {

using ByProtocol = std::array<double, 3>;  // LL, LL128, Simple
using BySpan = std::array<double, 3>;      // of a group on one node, two, more

// Seconds of a call, and of a step over NVLink and over the network ("baseLatencies",
// "hwLatencies").
inline constexpr ByProtocol kRingBaseS = {6.6e-6, 14.0e-6, 8.4e-6};
inline constexpr ByProtocol kTreeBaseS = {6.8e-6, 14.0e-6, 8.4e-6};
inline constexpr ByProtocol kRingLinkS = {0.6e-6, 1.9e-6, 3.4e-6};
inline constexpr ByProtocol kTreeLinkS = {0.6e-6, 1.25e-6, 4.0e-6};
inline constexpr ByProtocol kRingNetS = {2.7e-6, 4.0e-6, 14.0e-6};
inline constexpr ByProtocol kTreeNetS = {5.0e-6, 8.5e-6, 14.0e-6};
// A step inside of a node is not shorter than posting to the network beside it ("netOverhead").
inline constexpr ByProtocol kPostS = {1.0e-6, 1.0e-6, 3.0e-6};
inline constexpr double kNvlsS = 25e-6;
inline constexpr double kNvlsTreeNetS = 14e-6;  // as its tuning log of 2.27.5 has it, a level
inline constexpr double kRingPlateau = 1.4;     // Simple all-reduce between nodes: latency times
inline constexpr double kPlateauBytes = 64;     // from so many a channel and rank on

// Limits that depend on the generation, bytes per second: all channels together, or of one.
struct GenerationLimits {
  double ll_bytes_per_s;  // on one node ("llMaxBws")
  double ring_ll128;      // a channel ("perChMaxRingLL128Bws")
  BySpan tree_ll128;      // a channel ("perChMaxTreeLL128Bws")
  BySpan tree;            // a channel ("perChMaxTreeBws")
};
// LL between nodes is limited by the processor (Intel's row), not by the generation.
inline constexpr double kLowLatencyTwoNodes = 39e9, kLowLatencyNodes = 20.4e9;

constexpr GenerationLimits limits_of(GpuGeneration generation) {
  switch (generation) {
    case GpuGeneration::ampere:
      return {87.7e9, 20e9, {20e9, 20e9, 20e9}, {24e9, 23.6e9, 17.8e9}};
    case GpuGeneration::hopper:
      return {141e9, 36.7e9, {36.7e9, 36.7e9, 29e9}, {38.7e9, 41.4e9, 36e9}};
    case GpuGeneration::blackwell:
      return {282e9, 40e9, {55.6e9, 31.67e9, 20e9}, {70e9, 42.8e9, 24e9}};
  }
  return {};
}

// Shares of a ring's bandwidth that protocols and trees keep.
inline constexpr double kRingLl = 0.5, kLl128 = 0.92, kTree = 0.92, kTreeLl = 1 / 3.8;
inline constexpr double kTreeLl128InNode = 7.0 / 9, kTreeLl128 = 120.0 / 128;
inline constexpr double kTreePattern = 0.85;  // parents and children in different devices

// NVLink SHARP. In an all-reduce every link carries all of S to the switch's adders and S/n of sums
// back: measured 267 GB/s of 8 and 236 of 4 H100 at 450 GB/s a link are both two thirds of it.
inline constexpr double kNvlsShare = 0.667;
// NVLS tree: what is left of the adapters; 160 GB/s of a node with 8 at 48 GB/s, up and down.
inline constexpr double kNvlsTreeShare = 0.833;
inline constexpr double kFewestForNvls = 3;  // ranks in a node

// A rank copies its own part of the result: read and write at this share of the memory's
// bandwidth. From 1 GB all-gathers on 2, 4 and 8 H100 (537, 434, 394 GB/s): with it one bandwidth
// of the links, 362 GB/s, gives all three within 1%.
inline constexpr double kCopyShare = 0.62;

// All-to-all. Over NVLink by copy engines (380 GB/s of payload on 8 H100 at 450 GB/s, 7/8 of it on
// the links), or by kernels with a step a rank; between nodes the adapter's share 1 - 0.44/nodes,
// and latencies of 0-byte messages.
inline constexpr double kCopyEngineS = 50e-6, kCopyEngineShare = 0.74;
inline constexpr double kKernelShare = 0.7;
inline constexpr double kAdapterLoss = 0.44;
struct NodesLatency {
  double nodes, latency_s;
};
inline constexpr NodesLatency kAllToAllS[] = {
    {2, 37e-6}, {4, 42e-6}, {8, 60e-6}, {16, 98e-6}, {32, 290e-6}};

// Reached shares by log2(bytes / 64): of the payload for trees ("treeCorrectionFactor"), of a
// rank's part for the others (fitted to nccl-tests on 2 to 32 nodes). Between them geometric, so
// that more bytes never take less time.
using Ramp = std::array<double, 24>;
inline constexpr std::array<Ramp, 3> kTreeRamp = {
    Ramp{1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
         0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0},
    Ramp{1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
         0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0},
    Ramp{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
         0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9}};
// Rings over all devices of two nodes and more.
inline constexpr Ramp kRingRamp = {0.01, 0.02, 0.03, 0.06, 0.10, 0.16, 0.25, 0.36,
                                   0.68, 0.68, 0.68, 0.68, 0.68, 0.68, 0.68, 0.68,
                                   0.68, 0.68, 0.79, 0.87, 0.87, 0.87, 0.87, 0.87};
inline constexpr Ramp kNvlsTreeRamp = {0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10,
                                       0.10, 0.10, 0.15, 0.28, 0.41, 0.55, 0.72, 0.88,
                                       1.00, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00};
// Adapters in an all-to-all on two nodes; the missing share shrinks with log2 of the nodes.
inline constexpr Ramp kAdapterRamp = {0.28, 0.28, 0.28, 0.28, 0.28, 0.28, 0.28, 0.28,
                                      0.28, 0.28, 0.35, 0.43, 0.62, 0.71, 0.82, 0.89,
                                      0.92, 0.95, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00};

}  // namespace argosy::nccl
