// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/thread/job.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "planner/spec/check.h"

namespace argosy {

void ThreadJob::throw_if_failed() const {
  if (!failure_.empty()) throw Error(failure_);
}

void ThreadJob::changed() {
  ++version_;
  changed_.notify_all();
}

void ThreadJob::deliver(Mailbox& mailbox) {
  while (!mailbox.sends.empty() && !mailbox.recvs.empty()) {
    ThreadMessage& send = *mailbox.sends.front();
    ThreadMessage& recv = *mailbox.recvs.front();
    if (send.bytes != recv.bytes) {
      send.error = recv.error =
          concat("a message of ", send.bytes, " bytes met a receive of ", recv.bytes, " bytes");
    } else if (send.bytes > 0) {
      std::memcpy(recv.target, send.source, static_cast<size_t>(send.bytes));
    }
    send.delivered = recv.delivered = true;
    mailbox.sends.pop_front();
    mailbox.recvs.pop_front();
    changed();
  }
}

void ThreadJob::post_send(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message) {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
  Mailbox& mailbox = mailboxes_[key];
  mailbox.sends.push_back(message);
  deliver(mailbox);
}

void ThreadJob::post_recv(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message) {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
  Mailbox& mailbox = mailboxes_[key];
  mailbox.recvs.push_back(message);
  deliver(mailbox);
}

bool ThreadJob::test(const ThreadMessage& message) {
  const std::lock_guard lock(mutex_);
  if (!message.error.empty()) throw Error(message.error);
  return message.delivered;
}

void ThreadJob::withdraw(const MailboxKey& key, const std::shared_ptr<ThreadMessage>& message) {
  const std::lock_guard lock(mutex_);
  if (message->delivered) return;
  Mailbox& mailbox = mailboxes_[key];
  std::erase(mailbox.sends, message);
  std::erase(mailbox.recvs, message);
}

int64_t ThreadJob::group_id(int64_t parent, int64_t sequence, int color) {
  const std::lock_guard lock(mutex_);
  const auto next = static_cast<int64_t>(group_ids_.size()) + 1;  // 0 is the world
  return group_ids_.try_emplace({parent, sequence, color}, next).first->second;
}

void ThreadJob::notify() {
  const std::lock_guard lock(mutex_);
  changed();
}

void ThreadJob::check() {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
}

int64_t ThreadJob::version() {
  const std::lock_guard lock(mutex_);
  return version_;
}

void ThreadJob::wait_for_change(int64_t seen) {
  std::unique_lock lock(mutex_);
  // The time limit of a call is looked at between naps.
  changed_.wait_for(lock, std::chrono::milliseconds(50),
                    [&] { return version_ != seen || !failure_.empty(); });
  throw_if_failed();
}

void ThreadJob::fail(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (failure_.empty()) failure_ = reason;
  changed();
}

std::string ThreadJob::failure() {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace argosy
