// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/pipeline.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace argosy {

namespace {

// One message per direction and micro-batch on a pair of neighbours.
int tag_of(const Action& action) {
  const bool is_gradient =
      action.kind == ActionKind::send_gradient || action.kind == ActionKind::recv_gradient;
  return action.microbatch * 2 + (is_gradient ? 1 : 0);
}

class Run {
 public:
  Run(const LayerContext& ctx, Stage& stage, const Schedule& schedule,
      const std::vector<Microbatch>& microbatches, Keep keep)
      : ctx_(ctx),
        stage_(stage),
        schedule_(schedule),
        microbatches_(microbatches),
        keep_(keep),
        states_(microbatches.size()),
        start_(Clock::now()) {
    result_.router = stage.make_totals();
  }

  PipelineResult operator()() {
    const auto rank = static_cast<size_t>(ctx_.groups.coordinates().pp);
    for (const Action& action : schedule_.actions[rank]) {
      perform(action);
      sends_.remove_if([](Transfer& send) { return send.request.test(); });
    }
    for (Transfer& send : sends_) send.request.wait();
    return std::move(result_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Transfer {
    Tensor tensor;    // lives until the transfer is complete
    Request request;  // declared last: destroyed, and so completed, first
  };

  void perform(const Action& action) {
    switch (action.kind) {
      case ActionKind::forward:
        return forward(action);
      case ActionKind::backward:
        return backward(action);
      case ActionKind::recv_activation:
        return post_receive(action, action.stage - 1);
      case ActionKind::recv_gradient:
        return post_receive(action, action.stage + 1);
      case ActionKind::send_activation:
        return post_send(action, action.stage + 1);
      case ActionKind::send_gradient:
        return post_send(action, action.stage - 1);
    }
  }

  void forward(const Action& action) {
    Tensor input;
    if (!stage_.is_first())
      input = receive({ActionKind::recv_activation, action.stage, action.microbatch});
    const double begin_s = now();
    const auto m = static_cast<size_t>(action.microbatch);
    Tensor output = stage_.forward(ctx_, microbatches_[m], input, &states_[m], keep_,
                                   &result_.loss_sum, &result_.router);
    record(to_string(action), begin_s);
    if (output.defined())
      finished_[{ActionKind::send_activation, action.stage, action.microbatch}] = output;
  }

  void backward(const Action& action) {
    Tensor gradient;
    if (!stage_.is_last())
      gradient = receive({ActionKind::recv_gradient, action.stage, action.microbatch});
    const double begin_s = now();
    const auto m = static_cast<size_t>(action.microbatch);
    gradient = stage_.backward(ctx_, microbatches_[m], &states_[m], std::move(gradient));
    record(to_string(action), begin_s);
    if (gradient.defined())
      finished_[{ActionKind::send_gradient, action.stage, action.microbatch}] = gradient;
  }

  void post_receive(const Action& action, int peer_stage) {
    const Microbatch& microbatch = microbatches_[static_cast<size_t>(action.microbatch)];
    const int64_t rows = microbatch.tokens() / (ctx_.sequence_parallel() ? ctx_.plan.mesh.tp : 1);
    Transfer transfer;
    transfer.tensor =
        ctx_.device.empty({rows, ctx_.hidden()}, ctx_.compute(), MemoryCategory::buffers);
    transfer.request = ctx_.groups[Axis::pp].start_recv(buffer_of(transfer.tensor),
                                                        rank_of(peer_stage), tag_of(action));
    receives_[action] = std::move(transfer);
  }

  void post_send(const Action& action, int peer_stage) {
    const auto it = finished_.find(action);
    CHECK(it != finished_.end(), to_string(action), " before its tensor is finished");
    Transfer transfer;
    transfer.tensor = std::move(it->second);
    finished_.erase(it);
    ctx_.device.recategorize(transfer.tensor, MemoryCategory::buffers);
    transfer.request = ctx_.groups[Axis::pp].start_send(buffer_of(transfer.tensor),
                                                        rank_of(peer_stage), tag_of(action));
    sends_.push_back(std::move(transfer));
  }

  // The tensor of a posted receive, waiting for it.
  Tensor receive(const Action& action) {
    const auto it = receives_.find(action);
    CHECK(it != receives_.end(), to_string(action), " was not posted");
    const double begin_s = now();
    it->second.request.wait();
    result_.waited_s += now() - begin_s;
    record("wait " + to_string(action), begin_s);
    Tensor tensor = std::move(it->second.tensor);
    receives_.erase(it);
    return tensor;
  }

  int rank_of(int stage) const { return schedule_.rank_of_stage[static_cast<size_t>(stage)]; }
  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void record(std::string name, double begin_s) {
    result_.events.push_back(
        {static_cast<int>(ctx_.groups.rank()), std::move(name), begin_s, now()});
  }

  const LayerContext& ctx_;
  Stage& stage_;
  const Schedule& schedule_;
  const std::vector<Microbatch>& microbatches_;
  Keep keep_;
  std::vector<StageState> states_;     // [micro-batch]
  std::map<Action, Tensor> finished_;  // by the send that will take it
  std::map<Action, Transfer> receives_;
  std::list<Transfer> sends_;
  Clock::time_point start_;
  PipelineResult result_;
};

}  // namespace

PipelineResult run_pipeline(const LayerContext& ctx, Stage& stage, const Schedule& schedule,
                            const std::vector<Microbatch>& microbatches, Keep keep) {
  CHECK(static_cast<int>(microbatches.size()) == schedule.num_microbatches, microbatches.size(),
        " micro-batches for ", schedule.num_microbatches);
  return Run(ctx, stage, schedule, microbatches, keep)();
}

}  // namespace argosy
