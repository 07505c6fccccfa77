// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/recording.h"

#include <utility>

namespace argosy {
namespace {

class RecordingCommunicator : public Communicator {
 public:
  RecordingCommunicator(std::unique_ptr<Communicator> inner, Axis axis,
                        std::shared_ptr<const RecordingSwitch> recording)
      : inner_(std::move(inner)), axis_(axis), recording_(std::move(recording)) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }

  Request start_all_reduce(Buffer inout, ReduceOp op) override {
    record(CollectiveKind::all_reduce, inout);
    return inner_->start_all_reduce(inout, op);
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    record(CollectiveKind::reduce_scatter, input);
    return inner_->start_reduce_scatter(input, output, counts);
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    record(CollectiveKind::all_gather, output);
    return inner_->start_all_gather(input, output, counts);
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    record(CollectiveKind::all_to_all, input);
    return inner_->start_all_to_all(input, send_counts, output, recv_counts);
  }
  Request start_broadcast(Buffer inout, int root) override {
    record(CollectiveKind::broadcast, inout);
    return inner_->start_broadcast(inout, root);
  }
  Request start_send(ConstBuffer input, int peer, int tag) override {
    record(CollectiveKind::send, input);
    return inner_->start_send(input, peer, tag);
  }
  Request start_recv(Buffer output, int peer, int tag) override {
    record(CollectiveKind::recv, output);
    return inner_->start_recv(output, peer, tag);
  }
  void barrier() override { inner_->barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return inner_->split(color, key);
  }
  void abort(int exit_code) override { inner_->abort(exit_code); }

 private:
  // `payload` is what the ledger counts as this rank's bytes of the kind (planner/spec/ledger.h).
  void record(CollectiveKind kind, ConstBuffer payload) {
    if (size() > 1 && recording_->ledger) recording_->ledger->record(kind, axis_, payload.bytes());
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
      std::move(inner), axis, std::make_shared<const RecordingSwitch>(RecordingSwitch{ledger}));
}

}  // namespace argosy
