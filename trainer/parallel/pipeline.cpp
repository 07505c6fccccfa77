// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/pipeline.h"

#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "trainer/layers/deferred.h"

namespace argosy {

namespace {

// One message per direction, sending stage and micro-batch: two ranks may be neighbours several
// times.
int tag_of(const Action& action, const Schedule& schedule) {
  const Action send = is_send(action.kind) ? action : counterpart(action);
  const bool is_gradient = send.kind == ActionKind::send_gradient;
  return (send.microbatch * schedule.num_stages + send.stage) * 2 + (is_gradient ? 1 : 0);
}

class Run {
 public:
  Run(const LayerContext& ctx, std::span<Stage> stages, const Schedule& schedule,
      const std::vector<Microbatch>& microbatches, Keep keep, const ComputeHook& hook)
      : ctx_(ctx),
        stages_(stages),
        schedule_(schedule),
        microbatches_(microbatches),
        keep_(keep),
        hook_(hook),
        states_(stages.size()) {
    result_.loss_sums = ctx.device.zeros({1 + ctx.plan.model.num_mtp_modules}, DType::fp64,
                                         MemoryCategory::buffers);
    for (const Stage& stage : stages) result_.routers.push_back(stage.make_totals(ctx));
    for (std::vector<StageState>& states : states_) states.resize(microbatches.size());
    index_of_stage_.resize(schedule.rank_of_stage.size());
    size_t next = 0;
    for (size_t stage = 0; stage < index_of_stage_.size(); ++stage) {
      if (is_here(static_cast<int>(stage))) index_of_stage_[stage] = next++;
    }
    CHECK(next == stages.size(), stages.size(), " stages where the schedule has ", next);
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
  struct Transfer {
    Tensor tensor;    // lives until the transfer is complete
    Request request;  // declared last: destroyed, and so completed, first
  };

  void perform(const Action& action) {
    switch (action.kind) {
      case ActionKind::forward:
        return forward(action);
      case ActionKind::backward:
      case ActionKind::backward_input:
        return backward(action);
      case ActionKind::backward_weight:
        return backward_weight(action);
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
    const size_t index = index_of(action.stage), m = static_cast<size_t>(action.microbatch);
    Stage& stage = stages_[index];
    Tensor input;
    if (!stage.is_first())
      input = take({ActionKind::recv_activation, action.stage, action.microbatch});
    const Moment start = begin(action);
    Tensor output = stage.forward(ctx_, microbatches_[m], input, &states_[index][m], keep_,
                                  result_.loss_sums, &result_.routers[index]);
    record(to_string(action), start);
    if (output.defined())
      finished_[{ActionKind::send_activation, action.stage, action.microbatch}] = output;
  }

  void backward(const Action& action) {
    const size_t index = index_of(action.stage), m = static_cast<size_t>(action.microbatch);
    Stage& stage = stages_[index];
    Tensor gradient;
    if (!stage.is_last())
      gradient = take({ActionKind::recv_gradient, action.stage, action.microbatch});
    const Moment start = begin(action);
    LayerContext ctx = ctx_;
    if (action.kind == ActionKind::backward_input) ctx.deferred = &deferred_[action.stage][m];
    const size_t tokens_of =
        ctx.fault == Fault::microbatches_swapped ? (m + 1) % microbatches_.size() : m;
    gradient =
        stage.backward(ctx, microbatches_[tokens_of], &states_[index][m], std::move(gradient));
    record(to_string(action), start);
    if (gradient.defined())
      finished_[{ActionKind::send_gradient, action.stage, action.microbatch}] = gradient;
  }

  void backward_weight(const Action& action) {
    const Moment start = begin(action);
    deferred_[action.stage][static_cast<size_t>(action.microbatch)].run(ctx_);
    stages_[index_of(action.stage)].finish_backward(ctx_);
    record(to_string(action), start);
  }

  // The tensor that `receive` would bring: from a stage of this rank it is there already.
  Tensor take(const Action& receive) {
    const Action send = counterpart(receive);
    return is_here(send.stage) ? take_finished(send) : wait_for(receive);
  }

  Tensor take_finished(const Action& send) {
    const auto it = finished_.find(send);
    CHECK(it != finished_.end(), to_string(send), " before its tensor is finished");
    Tensor tensor = std::move(it->second);
    finished_.erase(it);
    ctx_.device.recategorize(tensor, MemoryCategory::buffers);
    return tensor;
  }

  void post_receive(const Action& action, int peer_stage) {
    const Microbatch& microbatch = microbatches_[static_cast<size_t>(action.microbatch)];
    const int64_t rows = microbatch.tokens() / (ctx_.sequence_parallel() ? ctx_.plan.mesh.tp : 1);
    Transfer transfer;
    transfer.tensor =
        ctx_.device.empty({rows, ctx_.hidden()}, ctx_.compute(), MemoryCategory::buffers);
    transfer.request = ctx_.groups[Axis::pp].start_recv(
        buffer_of(transfer.tensor), rank_of(peer_stage), tag_of(action, schedule_));
    receives_[action] = std::move(transfer);
  }

  void post_send(const Action& action, int peer_stage) {
    Transfer transfer;
    transfer.tensor = take_finished(action);
    transfer.request = ctx_.groups[Axis::pp].start_send(
        buffer_of(transfer.tensor), rank_of(peer_stage), tag_of(action, schedule_));
    sends_.push_back(std::move(transfer));
  }

  // The tensor of a posted receive, waiting for it.
  Tensor wait_for(const Action& action) {
    const auto it = receives_.find(action);
    CHECK(it != receives_.end(), to_string(action), " was not posted");
    const Moment start = now();
    ctx_.act(to_string(action));
    it->second.request.wait();
    record("wait " + to_string(action), start);
    Tensor tensor = std::move(it->second.tensor);
    receives_.erase(it);
    return tensor;
  }

  // Start of a compute action.
  Moment begin(const Action& action) {
    const Moment start = now();
    ctx_.act(to_string(action));
    if (hook_) hook_(action);
    return start;
  }

  bool is_here(int stage) const { return rank_of(stage) == ctx_.groups.coordinates().pp; }
  size_t index_of(int stage) const { return index_of_stage_[static_cast<size_t>(stage)]; }
  int rank_of(int stage) const { return schedule_.rank_of_stage[static_cast<size_t>(stage)]; }
  Moment now() const { return ctx_.device.clock().now(); }
  void record(std::string name, const Moment& start) {
    result_.events.push_back({std::move(name), start, now()});
  }

  const LayerContext& ctx_;
  std::span<Stage> stages_;
  const Schedule& schedule_;
  const std::vector<Microbatch>& microbatches_;
  Keep keep_;
  const ComputeHook& hook_;
  std::vector<size_t> index_of_stage_;           // [stage of the schedule], of those on this rank
  std::vector<std::vector<StageState>> states_;  // [stage of this rank][micro-batch]
  std::map<int, std::map<size_t, DeferredWeightGradients>> deferred_;  // [stage][micro-batch]
  std::map<Action, Tensor> finished_;  // by the send that takes it, or would
  std::map<Action, Transfer> receives_;
  std::list<Transfer> sends_;
  PipelineResult result_;
};

}  // namespace

PipelineResult run_pipeline(const LayerContext& ctx, std::span<Stage> stages,
                            const Schedule& schedule, const std::vector<Microbatch>& microbatches,
                            Keep keep, const ComputeHook& hook) {
  CHECK(static_cast<int>(microbatches.size()) == schedule.num_microbatches, microbatches.size(),
        " micro-batches for ", schedule.num_microbatches);
  return Run(ctx, stages, schedule, microbatches, keep, hook)();
}

}  // namespace argosy
