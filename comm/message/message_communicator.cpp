// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/message_communicator.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "comm/arguments.h"
#include "comm/message/collectives.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

std::vector<int64_t> copy_of(std::span<const int64_t> counts) {
  return {counts.begin(), counts.end()};
}

class MessageCommunicator : public Communicator {
 public:
  MessageCommunicator(std::shared_ptr<Transport> transport, std::shared_ptr<Engine> engine,
                      const Limits& limits)
      : transport_(std::move(transport)), engine_(std::move(engine)), limits_(limits) {}

  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }

  Request start_all_reduce(Buffer inout, ReduceOp op) override {
    check_buffer("all_reduce", inout);
    if (inout.count == 0 || size() == 1) return Request();
    return engine_->start(run_all_reduce(next_collective(), inout, op),
                          {"all_reduce", inout.bytes()});
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    check_reduce_scatter(input, output, counts, rank(), size());
    return engine_->start(run_reduce_scatter(next_collective(), input, output, copy_of(counts)),
                          {"reduce_scatter", input.bytes()});
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    check_all_gather(input, output, counts, rank(), size());
    return engine_->start(run_all_gather(next_collective(), input, output, copy_of(counts)),
                          {"all_gather", output.bytes()});
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    check_all_to_all(input, send_counts, output, recv_counts, rank(), size());
    return engine_->start(run_all_to_all(next_collective(), input, copy_of(send_counts), output,
                                         copy_of(recv_counts)),
                          {"all_to_all", input.bytes()});
  }
  Request start_broadcast(Buffer inout, int root) override {
    check_buffer("broadcast", inout);
    check_root(root, size());
    return engine_->start(run_broadcast(next_collective(), inout, root),
                          {"broadcast", inout.bytes(), root});
  }
  Request start_send(ConstBuffer input, int peer, int tag) override {
    check_buffer("send", input);
    check_peer("send", peer, tag, rank(), size());
    return engine_->start(run_send(user_call(tag), input, peer), {"send", input.bytes(), peer});
  }
  Request start_recv(Buffer output, int peer, int tag) override {
    check_buffer("recv", output);
    check_peer("recv", peer, tag, rank(), size());
    return engine_->start(run_recv(user_call(tag), output, peer), {"recv", output.bytes(), peer});
  }
  void barrier() override { engine_->start(run_barrier(next_collective()), {"barrier"}).wait(); }

  std::unique_ptr<Communicator> split(int color, int key) override;
  void abort(int exit_code) override { transport_->abort(exit_code); }

 private:
  // Tags keep calls under way together apart. They come round again after max_tag / 2 calls: no
  // call lives that long. A call owns two.
  CallContext next_collective() {
    engine_->throw_if_failed();
    const int64_t num_tags = transport_->max_tag() / 2;
    return {transport_, engine_->scratch(), limits_, static_cast<int>(next_call_++ % num_tags * 2)};
  }
  CallContext user_call(int tag) {
    engine_->throw_if_failed();
    CHECK(tag <= transport_->max_tag(), "tag ", tag, ", the largest is ", transport_->max_tag());
    return {transport_, engine_->scratch(), limits_, tag};
  }

  std::shared_ptr<Transport> transport_;
  std::shared_ptr<Engine> engine_;
  Limits limits_;
  int64_t next_call_ = 0, next_split_ = 0;
};

std::unique_ptr<Communicator> MessageCommunicator::split(int color, int key) {
  // Making a group blocks without moving other calls on: a peer could wait for one of them.
  CHECK(engine_->num_under_way() == 0, "split with ", engine_->num_under_way(), " calls under way");
  struct Wish {
    int32_t color, key;
  };
  std::vector<Wish> wishes(static_cast<size_t>(size()));
  const Wish own{color, key};
  const std::vector<int64_t> counts(wishes.size(), 2);
  all_gather({&own, 2, DType::int32}, {wishes.data(), 2 * size(), DType::int32}, counts);

  std::vector<std::pair<int, int>> members;  // (key, rank here)
  for (int peer = 0; peer < size(); ++peer) {
    const Wish& wish = wishes[static_cast<size_t>(peer)];
    if (wish.color == color) members.emplace_back(wish.key, peer);
  }
  std::sort(members.begin(), members.end());
  std::vector<int> ranks;
  for (const auto& [_, peer] : members) ranks.push_back(peer);
  return std::make_unique<MessageCommunicator>(transport_->subgroup(ranks, next_split_++, color),
                                               engine_, limits_);
}

}  // namespace

std::unique_ptr<Communicator> make_message_communicator(std::shared_ptr<Transport> transport,
                                                        std::shared_ptr<Engine> engine,
                                                        const Limits& limits) {
  return std::make_unique<MessageCommunicator>(std::move(transport), std::move(engine), limits);
}

}  // namespace argosy
