// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/recording.h"

#include <string>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// Measures a call until it is complete.
class ObservedState : public Request::State {
 public:
  ObservedState(Request inner, const RecordingSwitch& observers, const CommSpan& span,
                std::string name)
      : inner_(std::move(inner)), observers_(observers), span_(span), name_(std::move(name)) {}

  void wait() override {
    if (observers_.heartbeat != nullptr) observers_.heartbeat->enter(name_);
    if (is_on_device()) {
      wait_on_device();
    } else {
      measure([&] {
        inner_.wait();
        return true;
      });
    }
    if (observers_.heartbeat != nullptr) observers_.heartbeat->leave();
  }
  bool test() override {
    if (is_on_device()) return inner_.test();
    return measure([&] { return inner_.test(); });
  }
  bool is_on_device() const override { return inner_.is_on_device(); }
  DeviceSpan device_span() const override { return inner_.device_span(); }

 private:
  // The host does not wait: the device's compute queue does, and the device says for how long.
  void wait_on_device() {
    CommTimes* times = observers_.times;
    DeviceStreams* device = times != nullptr ? times->device() : nullptr;
    if (device == nullptr) return inner_.wait();
    const DeviceRange range(device, name_);
    DeviceSpan waits;
    waits.begin = stamp_of(device->clock(), device->compute());
    inner_.wait();
    waits.end = stamp_of(device->clock(), device->compute());
    times->add_wait(span_.axis, waits);
    times->add(span_.kind, span_.axis, inner_.device_span());
  }

  template <typename Action>
  bool measure(const Action& action) {
    if (complete_) return true;
    CommTimes* times = observers_.times;
    const double begin_s = times != nullptr ? times->now_s() : 0;
    complete_ = action();
    if (times == nullptr) return complete_;
    span_.end_s = times->now_s();
    span_.blocked_s += span_.end_s - begin_s;
    span_.busy_s = span_.blocked_s;
    times->add_blocked(span_.axis, span_.end_s - begin_s);
    if (complete_) times->add(span_);
    return complete_;
  }

  Request inner_;
  RecordingSwitch observers_;  // those of the call's start
  CommSpan span_;
  std::string name_;
  bool complete_ = false;
};

class RecordingCommunicator : public Communicator {
 public:
  RecordingCommunicator(std::unique_ptr<Communicator> inner, Axis axis,
                        std::shared_ptr<const RecordingSwitch> recording,
                        std::vector<int64_t> members)
      : inner_(std::move(inner)),
        axis_(axis),
        recording_(std::move(recording)),
        members_(std::move(members)) {}

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
    return recorded(
        CollectiveKind::send, input, [&] { return inner_->start_send(input, peer, tag); }, peer);
  }
  Request start_recv(Buffer output, int peer, int tag) override {
    return recorded(
        CollectiveKind::recv, output, [&] { return inner_->start_recv(output, peer, tag); }, peer);
  }
  void barrier() override { inner_->barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return inner_->split(color, key);
  }
  std::unique_ptr<Communicator> alone() override { return inner_->alone(); }
  bool sums_in_rank_order() const override { return inner_->sums_in_rank_order(); }
  CommRoute route() const override { return inner_->route(); }
  void abort(int exit_code) override { inner_->abort(exit_code); }

 private:
  template <typename Start>
  Request recorded(CollectiveKind kind, ConstBuffer payload, const Start& start, int peer = -1) {
    if (size() == 1) return start();
    const RecordingSwitch& to = *recording_;
    if (to.ledger != nullptr && axis_ != Axis::world)
      to.ledger->record(kind, axis_, payload.bytes());
    if (to.calls != nullptr && peer < 0) to.calls->add(axis_, call_of(kind, payload));
    if (to.times == nullptr && to.heartbeat == nullptr) return start();
    DeviceStreams* device = to.times != nullptr ? to.times->device() : nullptr;
    const std::string name =
        to.heartbeat != nullptr || device != nullptr ? name_of(kind, peer) : "";
    CommSpan span{.kind = kind, .axis = axis_};
    if (to.times != nullptr) span.start_s = to.times->now_s();
    Request inner = [&] {
      const DeviceRange range(device, name);
      return start();
    }();
    if (to.times != nullptr && !inner.is_on_device()) {
      span.blocked_s = to.times->now_s() - span.start_s;
      to.times->add_blocked(axis_, span.blocked_s);
    }
    return Request(std::make_unique<ObservedState>(std::move(inner), to, span, name));
  }

  static CollectiveCall call_of(CollectiveKind kind, ConstBuffer payload) {
    return {kind, payload.dtype, kind == CollectiveKind::all_to_all ? 0 : payload.count};
  }

  // "all_reduce tp", "recv pp from rank 3".
  std::string name_of(CollectiveKind kind, int peer) const {
    std::string name = concat(to_string(kind), " ", to_string(axis_));
    if (peer < 0) return name;
    const int64_t rank = members_.empty() ? peer : members_[static_cast<size_t>(peer)];
    return concat(name, kind == CollectiveKind::send ? " to" : " from", " rank ", rank);
  }

  std::unique_ptr<Communicator> inner_;
  Axis axis_;
  std::shared_ptr<const RecordingSwitch> recording_;
  std::vector<int64_t> members_;
};

}  // namespace

std::unique_ptr<Communicator> make_recording_communicator(
    std::unique_ptr<Communicator> inner, Axis axis,
    std::shared_ptr<const RecordingSwitch> recording, std::vector<int64_t> members) {
  return std::make_unique<RecordingCommunicator>(std::move(inner), axis, std::move(recording),
                                                 std::move(members));
}

std::unique_ptr<Communicator> make_recording_communicator(std::unique_ptr<Communicator> inner,
                                                          Axis axis, Ledger* ledger) {
  return make_recording_communicator(
      std::move(inner), axis,
      std::make_shared<const RecordingSwitch>(RecordingSwitch{.ledger = ledger}));
}

}  // namespace argosy
