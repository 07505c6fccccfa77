// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/thread/thread_communicator.h"

#include <barrier>
#include <cstdlib>
#include <exception>
#include <limits>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "comm/message/message_communicator.h"
#include "comm/thread/job.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

class ThreadBatch : public MessageBatch {
 public:
  ThreadBatch(std::shared_ptr<ThreadJob> job, int64_t group, int rank, Channel channel, int tag)
      : job_(std::move(job)), group_(group), rank_(rank), channel_(channel), tag_(tag) {}
  ~ThreadBatch() override {
    for (const auto& [key, message] : messages_) job_->withdraw(key, message);
  }
  ThreadBatch(const ThreadBatch&) = delete;
  ThreadBatch& operator=(const ThreadBatch&) = delete;

  void send(const void* data, int64_t bytes, int peer) override {
    const MailboxKey key{group_, channel_, tag_, rank_, peer};
    const auto message = std::make_shared<ThreadMessage>();
    message->source = data;
    message->bytes = bytes;
    messages_.emplace_back(key, message);
    job_->post_send(key, message);
  }
  void recv(void* data, int64_t bytes, int peer) override {
    const MailboxKey key{group_, channel_, tag_, peer, rank_};
    const auto message = std::make_shared<ThreadMessage>();
    message->target = data;
    message->bytes = bytes;
    messages_.emplace_back(key, message);
    job_->post_recv(key, message);
  }
  bool test() override {
    while (!messages_.empty() && job_->test(*messages_.back().second)) messages_.pop_back();
    return messages_.empty();
  }

 private:
  std::shared_ptr<ThreadJob> job_;
  int64_t group_;
  int rank_;
  Channel channel_;
  int tag_;
  std::vector<std::pair<MailboxKey, std::shared_ptr<ThreadMessage>>> messages_;
};

class ThreadTransport : public Transport {
 public:
  ThreadTransport(std::shared_ptr<ThreadJob> job, int64_t group, std::vector<int> world_ranks,
                  int rank)
      : job_(std::move(job)), group_(group), world_ranks_(std::move(world_ranks)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(world_ranks_.size()); }
  int max_tag() const override { return std::numeric_limits<int>::max(); }
  std::unique_ptr<MessageBatch> open(Channel channel, int tag) override {
    return std::make_unique<ThreadBatch>(job_, group_, rank_, channel, tag);
  }
  std::shared_ptr<Transport> subgroup(const std::vector<int>& members, int64_t sequence,
                                      int color) override {
    std::vector<int> world_ranks;
    int rank = 0;
    for (const int member : members) {
      if (member == rank_) rank = static_cast<int>(world_ranks.size());
      world_ranks.push_back(world_ranks_[static_cast<size_t>(member)]);
    }
    return std::make_shared<ThreadTransport>(job_, job_->group_id(group_, sequence, color),
                                             std::move(world_ranks), rank);
  }
  void abort(int exit_code) override {
    job_->fail(concat("rank ", world_ranks_[static_cast<size_t>(rank_)], " called abort(",
                      exit_code, ")"));
  }

 private:
  std::shared_ptr<ThreadJob> job_;
  int64_t group_;
  std::vector<int> world_ranks_;  // of the members
  int rank_;
};

constexpr int64_t kThreadPlaces = 32;  // groups of a rank at a time; more use messages

class ThreadWaiter : public Waiter {
 public:
  explicit ThreadWaiter(std::shared_ptr<ThreadJob> job) : job_(std::move(job)) {}
  void pass_begins() override { seen_ = job_->version(); }
  void idle(int64_t) override { job_->wait_for_change(seen_); }
  void check() override { job_->check(); }

 private:
  std::shared_ptr<ThreadJob> job_;
  int64_t seen_ = 0;
};

// Memory of all ranks' segments; pages that no group uses are never touched.
std::shared_ptr<std::byte> allocate_segments(int size, int64_t segment_bytes) {
  constexpr size_t kPage = 4096;
  void* const data = std::aligned_alloc(kPage, static_cast<size_t>(size * segment_bytes));
  CHECK(data != nullptr, size, " segments of ", segment_bytes, " bytes");
  return {static_cast<std::byte*>(data), [](std::byte* memory) { std::free(memory); }};
}

// What rank `rank` sees of the segments.
Node node_of(const std::shared_ptr<ThreadJob>& job, const std::shared_ptr<std::byte>& segments,
             const WindowLayout& layout, int rank, int size) {
  WindowMemory::Source source;
  for (int peer = 0; peer < size; ++peer) {
    source.segments.push_back(segments.get() + peer * kThreadPlaces * layout.place_bytes());
  }
  source.own = rank;
  source.num_places = kThreadPlaces;
  source.populate = [](std::byte*, int64_t) { return true; };
  source.changed = [job] { job->notify(); };
  source.keeper = segments;
  return {0, std::make_shared<WindowMemory>(std::move(source), layout), ""};
}

}  // namespace

void run_on_threads(int size, const std::function<void(Communicator& world)>& body,
                    double timeout_s, const Limits& limits) {
  CHECK(size >= 1, size, " ranks");
  const auto job = std::make_shared<ThreadJob>();
  const bool has_window = size > 1 && limits.window_slot_bytes > 0;
  const WindowLayout layout = layout_of(limits);
  const auto segments =
      has_window ? allocate_segments(size, kThreadPlaces * layout.place_bytes()) : nullptr;
  std::mutex first_mutex;
  std::exception_ptr first;  // the failure that the others follow
  const auto note_failure = [&](int rank, const std::exception& error) {
    const std::lock_guard lock(first_mutex);
    if (!first) first = std::current_exception();
    job->fail(concat("rank ", rank, " failed: ", error.what()));
  };
  const auto make_world = [&](int rank) {
    std::vector<int> everyone(static_cast<size_t>(size));
    std::iota(everyone.begin(), everyone.end(), 0);
    return make_message_communicator(
        std::make_shared<ThreadTransport>(job, 0, std::move(everyone), rank),
        std::make_shared<Engine>(std::make_unique<ThreadWaiter>(job), rank, timeout_s), limits,
        has_window ? node_of(job, segments, layout, rank, size) : Node{}, rank);
  };
  std::barrier all_have_worlds(
      size);  // a body that fails at once must not break a world being made
  const auto run_rank = [&](int rank) {
    std::unique_ptr<Communicator> world;
    try {
      world = make_world(rank);
    } catch (const std::exception& error) {
      note_failure(rank, error);
    }
    all_have_worlds.arrive_and_wait();
    if (!world) return;
    try {
      body(*world);
    } catch (const std::exception& error) {
      note_failure(rank, error);
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(size));
  for (int rank = 0; rank < size; ++rank) threads.emplace_back(run_rank, rank);
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
  if (const std::string failure = job->failure(); !failure.empty()) throw Error(failure);
}

}  // namespace argosy
