// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/captured_step.h"

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/graphs.h"
#include "trainer/trainer.h"

namespace argosy {

std::string obstacle_to_graphs(const Plan& plan, const LayerSettings& layers, Device device) {
  if (device != Device::cuda) return concat("the device is ", to_string(device));
  if (std::string obstacle = obstacle_to_graphs(plan); !obstacle.empty()) return obstacle;
  if (layers.document_mask) {
    return "--document-mask: how many documents a micro-batch has is an argument of kernels";
  }
  return "";
}

bool uses_graphs(CudaGraphs wanted, const Plan& plan, const LayerSettings& layers, Device device) {
  if (wanted == CudaGraphs::off) return false;
  const std::string obstacle = obstacle_to_graphs(plan, layers, device);
  if (wanted == CudaGraphs::on && !obstacle.empty()) {
    throw ConfigError(
        concat("--cuda-graphs on: no step can be captured, ", obstacle, "; valid: auto, off"));
  }
  return obstacle.empty();
}

std::string to_string(const GraphFacts& facts) {
  return concat(facts.num_graphs, " graphs of ", format_grouped(facts.num_nodes),
                " nodes, captured after step ", facts.after_step, " in ",
                format_seconds(facts.capture_s));
}

namespace {

std::vector<const void*> addresses_of(const std::vector<Microbatch>& microbatches) {
  std::vector<const void*> addresses;
  for (const Microbatch& m : microbatches) {
    for (const Tensor* tensor : {&m.inputs, &m.targets, &m.positions, &m.token_ids,
                                 &m.attention_positions, &m.mask, &m.unmasked, &m.step}) {
      addresses.push_back(tensor->raw());
    }
  }
  return addresses;
}

}  // namespace

// Nothing runs: the buffers still hold what the step before read.
void Trainer::capture(int64_t after_step) {
  const Clock::time_point begin = Clock::now();
  context_.act("capture");
  auto captured = std::make_unique<CapturedStep>(device_.pool());
  reduced_ = {};
  ledger_ = {};
  device_.matmul_flops = 0;
  device_.reset_peaks();
  device_.clock().times_ops = false;
  // As in step(): what is noted behind the first phase is captured.
  StepTimer timer(comm_times_, device_.clock(), static_cast<int>(groups_.rank()), false);
  timer.end_phase(&StepParts::data_s, "data");
  DeviceGraphs& graphs = *device_.backend().graphs();
  try {
    const BlocksFrom blocks(device_, BlockList::steps);
    captured->passes = graphs.capture([&] { captured->work = run_passes(&timer); });
    captured->update = graphs.capture([&] { run_update(captured->work.sums); });
  } catch (const Error& error) {
    throw Error(concat("capturing a step as CUDA graphs: ", error.what(),
                       "; --cuda-graphs off runs it op by op"));
  }
  captured->notes = timer.notes(1);
  captured->reduced = reduced_;
  captured->inputs = addresses_of(microbatches_);
  captured->ledger = ledger_;
  captured->memory = device_.memory();
  captured->matmul_flops = device_.matmul_flops;
  captured->facts = {.num_graphs = 2,
                     .num_nodes = captured->passes->num_nodes() + captured->update->num_nodes(),
                     .after_step = after_step,
                     .capture_s = seconds_since(begin)};
  captured_ = std::move(captured);
}

const StepWork& Trainer::launch_passes(StepTimer* timer) {
  CHECK(captured_->inputs == addresses_of(microbatches_), "micro-batches lie where no graph reads");
  context_.act("graph of passes");
  captured_->passes->launch();
  timer->repeat(captured_->notes);
  reduced_ = captured_->reduced;
  ledger_ = captured_->ledger;
  device_.matmul_flops = captured_->matmul_flops;
  return captured_->work;
}

}  // namespace argosy
