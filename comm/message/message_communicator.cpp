// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/message_communicator.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "comm/arguments.h"
#include "comm/message/collectives.h"
#include "comm/window/collectives.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

std::vector<int64_t> copy_of(std::span<const int64_t> counts) {
  return {counts.begin(), counts.end()};
}

// What does not change from group to group.
struct RankContext {
  std::shared_ptr<Engine> engine;
  Limits limits;
  Node node;
  int world_rank = 0;
  std::shared_ptr<int32_t> last_group;  // the largest sequence of this rank's groups
};

// Where a rank of a group runs: node and, where that has shared memory, its segment.
struct Home {
  int32_t node = 0, segment = 0;
};

class MessageCommunicator : public Communicator {
 public:
  // homes: of the group's ranks. Collective.
  MessageCommunicator(std::shared_ptr<Transport> transport, RankContext context,
                      std::vector<Home> homes)
      : transport_(std::move(transport)),
        engine_(context.engine),
        limits_(context.limits),
        context_(std::move(context)),
        homes_(std::move(homes)) {
    open_window();
  }

  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }

  Request start_all_reduce(Buffer inout, ReduceOp op) override {
    check_buffer("all_reduce", inout);
    if (inout.count == 0 || size() == 1) return Request();
    return engine_->start(through_window() ? window_all_reduce(window_, inout, op)
                                           : run_all_reduce(next_collective(), inout, op),
                          {"all_reduce", inout.bytes()});
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    check_reduce_scatter(input, output, counts, rank(), size());
    return engine_->start(
        through_window() ? window_reduce_scatter(window_, input, output, copy_of(counts))
                         : run_reduce_scatter(next_collective(), input, output, copy_of(counts)),
        {"reduce_scatter", input.bytes()});
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    check_all_gather(input, output, counts, rank(), size());
    return engine_->start(through_window()
                              ? window_all_gather(window_, input, output, copy_of(counts))
                              : run_all_gather(next_collective(), input, output, copy_of(counts)),
                          {"all_gather", output.bytes()});
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    check_all_to_all(input, send_counts, output, recv_counts, rank(), size());
    return engine_->start(
        through_window()
            ? window_all_to_all(window_, input, copy_of(send_counts), output, copy_of(recv_counts))
            : run_all_to_all(next_collective(), input, copy_of(send_counts), output,
                             copy_of(recv_counts)),
        {"all_to_all", input.bytes()});
  }
  Request start_broadcast(Buffer inout, int root) override {
    check_buffer("broadcast", inout);
    check_root(root, size());
    return engine_->start(through_window() ? window_broadcast(window_, inout, root)
                                           : run_broadcast(next_collective(), inout, root),
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
  void barrier() override {
    engine_
        ->start(through_window() ? window_barrier(window_) : run_barrier(next_collective()),
                {"barrier"})
        .wait();
  }

  std::unique_ptr<Communicator> split(int color, int key) override;
  CommRoute route() const override;
  void abort(int exit_code) override { transport_->abort(exit_code); }

 private:
  void open_window();
  bool through_window() const {
    engine_->throw_if_failed();
    return window_ != nullptr;
  }
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
  RankContext context_;
  std::vector<Home> homes_;
  SharedWindowGroup window_;  // null: messages
  std::string obstacle_;
  int64_t next_call_ = 0;
};

// The values of all ranks, a struct of int32 each.
template <typename Values>
std::vector<Values> gather_values(Communicator& comm, const Values& own) {
  constexpr int64_t kCount = sizeof(Values) / sizeof(int32_t);
  std::vector<Values> all(static_cast<size_t>(comm.size()));
  const std::vector<int64_t> counts(all.size(), kCount);
  comm.all_gather({&own, kCount, DType::int32}, {all.data(), kCount * comm.size(), DType::int32},
                  counts);
  return all;
}

// All ranks show their places and use them, or none does.
void MessageCommunicator::open_window() {
  const bool same_node = std::all_of(homes_.begin(), homes_.end(), [&](const Home& home) {
    return home.node == context_.node.id;
  });
  if (size() == 1 || !same_node) return;
  WindowMemory* const memory = context_.node.memory.get();
  obstacle_ = context_.node.obstacle;
  if (memory == nullptr) return;
  const WindowPlace own = memory->acquire();
  struct Shown {
    int32_t index, generation;
  };
  const std::vector<Shown> shown = gather_values<Shown>(
      *this, {static_cast<int32_t>(own.index), static_cast<int32_t>(own.generation)});
  std::vector<WindowPlace> places;
  for (size_t peer = 0; peer < shown.size(); ++peer) {
    if (shown[peer].index < 0) {
      obstacle_ = concat("group rank ", peer, " has no memory left in the window of its node");
    }
    places.push_back({homes_[peer].segment, shown[peer].index, shown[peer].generation});
  }
  if (obstacle_.empty()) {
    window_ = std::make_shared<WindowGroup>(context_.node.memory, std::move(places), rank(),
                                            context_.world_rank);
  } else if (own.index >= 0) {
    memory->release(own);
  }
}

CommRoute MessageCommunicator::route() const {
  const WindowMemory* const memory = context_.node.memory.get();
  return {window_ != nullptr, obstacle_, memory != nullptr ? memory->populated_bytes() : 0};
}

std::unique_ptr<Communicator> MessageCommunicator::split(int color, int key) {
  // Making a group blocks without moving other calls on: a peer could wait for one of them.
  CHECK(engine_->num_under_way() == 0, "split with ", engine_->num_under_way(), " calls under way");
  struct Wish {
    int32_t color, key, last_group;
  };
  const std::vector<Wish> wishes = gather_values<Wish>(*this, {color, key, *context_.last_group});

  std::vector<std::pair<int, int>> members;  // (key, rank here)
  for (int peer = 0; peer < size(); ++peer) {
    const Wish& wish = wishes[static_cast<size_t>(peer)];
    if (wish.color == color) members.emplace_back(wish.key, peer);
    *context_.last_group = std::max(*context_.last_group, wish.last_group);
  }
  std::sort(members.begin(), members.end());
  std::vector<int> ranks;
  std::vector<Home> homes;
  for (const auto& [_, peer] : members) {
    ranks.push_back(peer);
    homes.push_back(homes_[static_cast<size_t>(peer)]);
  }
  return std::make_unique<MessageCommunicator>(
      transport_->subgroup(ranks, ++*context_.last_group, color), context_, std::move(homes));
}

}  // namespace

std::unique_ptr<Communicator> make_message_communicator(std::shared_ptr<Transport> transport,
                                                        std::shared_ptr<Engine> engine,
                                                        const Limits& limits, const Node& node,
                                                        int world_rank) {
  const Home own{node.id, node.memory ? static_cast<int32_t>(node.memory->own_segment()) : 0};
  const RankContext context{std::move(engine), limits, node, world_rank,
                            std::make_shared<int32_t>(0)};
  // The ranks tell each other where they are by messages: a group without a window.
  std::vector<Home> homes;
  {
    const std::vector<Home> unknown(static_cast<size_t>(transport->size()), Home{-1, 0});
    MessageCommunicator messages(transport, context, unknown);
    homes = gather_values<Home>(messages, own);
  }
  return std::make_unique<MessageCommunicator>(std::move(transport), context, std::move(homes));
}

}  // namespace argosy
