// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A step's work on the device as two graphs, and what the host would have counted while it put that
// work on queues op by op.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"
#include "trainer/device/device_graph.h"
#include "trainer/device/memory_pool.h"
#include "trainer/layers/context.h"
#include "trainer/parallel/gradients.h"
#include "trainer/step_timer.h"

namespace argosy {

// Of argosy-train's --cuda-graphs. automatic: where they can be.
enum class CudaGraphs { off, automatic, on };

// Why a step of this plan cannot be captured, for a user; empty: it can.
std::string obstacle_to_graphs(const Plan& plan, const LayerSettings& layers, Device device);
// Whether steps are captured. Throws ConfigError that names the obstacle where `on` cannot be.
bool uses_graphs(CudaGraphs wanted, const Plan& plan, const LayerSettings& layers, Device device);

// Steps that run op by op before one is captured: the first chooses algorithms and makes
// communicators, the second finds all of its memory in the pool; the third is steady, and its ops
// are timed.
inline constexpr int64_t kStepsBeforeGraphs = 3;

// What passes leave for the update.
struct StepWork {
  Tensor sums;                   // over the world, as Trainer::read_totals() finds them
  std::vector<WorkSpan> events;  // of the pipeline
};

struct GraphFacts {
  int64_t num_graphs = 0, num_nodes = 0;
  int64_t after_step = 0;
  double capture_s = 0;  // and preparing them for launches
};
// "2 graphs of 4,212 nodes, captured after step 3 in 0.08 s".
std::string to_string(const GraphFacts& facts);

// Blocks kept for steps stay as long as this.
class ReservedBlocks {
 public:
  explicit ReservedBlocks(MemoryPool& pool) : pool_(pool) { pool_.reserve_step_blocks(true); }
  ~ReservedBlocks() { pool_.reserve_step_blocks(false); }
  ReservedBlocks(const ReservedBlocks&) = delete;
  ReservedBlocks& operator=(const ReservedBlocks&) = delete;

 private:
  MemoryPool& pool_;
};

struct CapturedStep {
  explicit CapturedStep(MemoryPool& pool) : blocks(pool) {}
  ReservedBlocks blocks;
  StepWork work;
  ReducedGradients reduced;
  std::vector<const void*> inputs;  // addresses that the graphs read micro-batches from
  StepTimer::Notes notes;           // of the device's part of a step
  Ledger ledger;
  MemoryUse memory;
  int64_t matmul_flops = 0;
  GraphFacts facts;
  // Apart, since an update may have to wait for a checkpoint that is copied out. Declared last:
  // they end before their memory.
  std::unique_ptr<DeviceGraph> passes, update;
};

}  // namespace argosy
