// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/recording.h"

#include <utility>

namespace argosy {
namespace {

// Measures a call until it is complete.
class TimedState : public Request::State {
 public:
  TimedState(Request inner, CommTimes* times, const CommSpan& span)
      : inner_(std::move(inner)), times_(times), span_(span) {}

  void wait() override {
    measure([&] {
      inner_.wait();
      return true;
    });
  }
  bool test() override {
    return measure([&] { return inner_.test(); });
  }

 private:
  template <typename Action>
  bool measure(const Action& action) {
    if (complete_) return true;
    const double begin_s = times_->now_s();
    complete_ = action();
    span_.end_s = times_->now_s();
    span_.blocked_s += span_.end_s - begin_s;
    times_->add_blocked(span_.axis, span_.end_s - begin_s);
    if (complete_) times_->add(span_);
    return complete_;
  }

  Request inner_;
  CommTimes* times_;
  CommSpan span_;
  bool complete_ = false;
};

class RecordingCommunicator : public Communicator {
 public:
  RecordingCommunicator(std::unique_ptr<Communicator> inner, Axis axis,
                        std::shared_ptr<const RecordingSwitch> recording)
      : inner_(std::move(inner)), axis_(axis), recording_(std::move(recording)) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }

  // The ConstBuffer is what the ledger counts as this rank's bytes of the kind
  // (planner/spec/ledger.h).
  Request start_all_reduce(Buffer inout, ReduceOp op) override {
    return recorded(CollectiveKind::all_reduce, inout,
                    [&] { return inner_->start_all_reduce(inout, op); });
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    return recorded(CollectiveKind::reduce_scatter, input,
                    [&] { return inner_->start_reduce_scatter(input, output, counts); });
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    return recorded(CollectiveKind::all_gather, output,
                    [&] { return inner_->start_all_gather(input, output, counts); });
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    return recorded(CollectiveKind::all_to_all, input, [&] {
      return inner_->start_all_to_all(input, send_counts, output, recv_counts);
    });
  }
  Request start_broadcast(Buffer inout, int root) override {
    return recorded(CollectiveKind::broadcast, inout,
                    [&] { return inner_->start_broadcast(inout, root); });
  }
  Request start_send(ConstBuffer input, int peer, int tag) override {
    return recorded(CollectiveKind::send, input,
                    [&] { return inner_->start_send(input, peer, tag); });
  }
  Request start_recv(Buffer output, int peer, int tag) override {
    return recorded(CollectiveKind::recv, output,
                    [&] { return inner_->start_recv(output, peer, tag); });
  }
  void barrier() override { inner_->barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return inner_->split(color, key);
  }
  void abort(int exit_code) override { inner_->abort(exit_code); }

 private:
  template <typename Start>
  Request recorded(CollectiveKind kind, ConstBuffer payload, const Start& start) {
    if (size() == 1) return start();
    if (recording_->ledger != nullptr && axis_ != Axis::world) {
      recording_->ledger->record(kind, axis_, payload.bytes());
    }
    CommTimes* times = recording_->times;
    if (times == nullptr) return start();
    CommSpan span{.kind = kind, .axis = axis_, .start_s = times->now_s()};
    Request inner = start();
    span.blocked_s = times->now_s() - span.start_s;
    times->add_blocked(axis_, span.blocked_s);
    return Request(std::make_unique<TimedState>(std::move(inner), times, span));
  }

  std::unique_ptr<Communicator> inner_;
  Axis axis_;
  std::shared_ptr<const RecordingSwitch> recording_;
};

}  // namespace

std::unique_ptr<Communicator> make_recording_communicator(
    std::unique_ptr<Communicator> inner, Axis axis,
    std::shared_ptr<const RecordingSwitch> recording) {
  return std::make_unique<RecordingCommunicator>(std::move(inner), axis, std::move(recording));
}

std::unique_ptr<Communicator> make_recording_communicator(std::unique_ptr<Communicator> inner,
                                                          Axis axis, Ledger* ledger) {
  return make_recording_communicator(
      std::move(inner), axis,
      std::make_shared<const RecordingSwitch>(RecordingSwitch{.ledger = ledger}));
}

}  // namespace argosy
