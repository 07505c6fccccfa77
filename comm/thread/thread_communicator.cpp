// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/thread/thread_communicator.h"

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

class ThreadWaiter : public Waiter {
 public:
  explicit ThreadWaiter(std::shared_ptr<ThreadJob> job) : job_(std::move(job)) {}
  void pass_begins() override { seen_ = job_->version(); }
  void idle(int64_t) override { job_->wait_for_change(seen_); }

 private:
  std::shared_ptr<ThreadJob> job_;
  int64_t seen_ = 0;
};

}  // namespace

void run_on_threads(int size, const std::function<void(Communicator& world)>& body,
                    double timeout_s, const Limits& limits) {
  CHECK(size >= 1, size, " ranks");
  const auto job = std::make_shared<ThreadJob>();
  std::mutex first_mutex;
  std::exception_ptr first;  // the failure that the others follow
  const auto run_rank = [&](int rank) {
    try {
      std::vector<int> everyone(static_cast<size_t>(size));
      std::iota(everyone.begin(), everyone.end(), 0);
      const auto world = make_message_communicator(
          std::make_shared<ThreadTransport>(job, 0, std::move(everyone), rank),
          std::make_shared<Engine>(std::make_unique<ThreadWaiter>(job), rank, timeout_s), limits);
      body(*world);
    } catch (const std::exception& error) {
      const std::lock_guard lock(first_mutex);
      if (!first) first = std::current_exception();
      job->fail(concat("rank ", rank, " failed: ", error.what()));
    }
  };
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) threads.emplace_back(run_rank, rank);
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
  if (const std::string failure = job->failure(); !failure.empty()) throw Error(failure);
}

}  // namespace argosy
