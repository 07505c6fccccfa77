// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The shared state of ranks that are threads: mailboxes under one lock. Simple rather than fast: it
// serves tests. A send completes when it is received (rendezvous), the strictest that MPI may be.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "comm/message/engine.h"
#include "comm/message/transport.h"

namespace argosy {

struct ThreadMessage {
  const void* source = nullptr;  // of a send
  void* target = nullptr;        // of a recv
  int64_t bytes = 0;
  bool delivered = false;
  std::string error;  // empty: none
};

// group, channel, tag, sender, receiver (ranks of the group).
using MailboxKey = std::tuple<int64_t, Channel, int, int, int>;

class ThreadJob {
 public:
  // Deliver to a waiting counterpart or queue. Throw Error when the job has failed.
  void post_send(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message);
  void post_recv(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message);
  // True: delivered. Throws Error when sizes differed.
  bool test(const ThreadMessage& message);
  // Forgets an undelivered message: its memory goes away.
  void withdraw(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message);

  // The same id for all ranks that name the same new group.
  int64_t group_id(int64_t parent, int64_t sequence, int color);

  // Something changed outside the mailboxes.
  void notify();
  // Counts changes, so that a waiter can sleep until something has happened since it looked.
  int64_t version();
  // Returns after a change since `seen` or a short while; throws Error when the job has failed.
  void wait_for_change(int64_t seen);
  void fail(const std::string& reason);  // the first reason stays
  void check();                          // throws Error when the job has failed
  std::string failure();

 private:
  using Queue = std::deque<std::shared_ptr<ThreadMessage>>;
  struct Mailbox {
    Queue sends, recvs;
  };
  void throw_if_failed() const;
  void deliver(Mailbox& mailbox);
  void changed();

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t version_ = 0;
  std::string failure_;  // empty: none
  std::map<MailboxKey, Mailbox> mailboxes_;
  std::map<std::tuple<int64_t, int64_t, int>, int64_t> group_ids_;
};

}  // namespace argosy
