// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A device on the host whose queues really run beside the host and each other: a thread each.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/device_streams.h"
#include "trainer/device/device_backend.h"

namespace argosy {

class FakeQueue : public DeviceQueue {
 public:
  FakeQueue() : worker_([this] { run(); }) {}
  ~FakeQueue() override;
  void* stream() const override { return const_cast<FakeQueue*>(this); }
  void wait_for(const DeviceMark& mark) override;
  std::unique_ptr<DeviceMark> mark() const override;
  void put(std::function<void()> task) const;

 private:
  void run();
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::deque<std::function<void()>> tasks_;
  bool ends_ = false;
  std::thread worker_;  // declared last: it uses the others
};

class FakeStreams : public DeviceStreams {
 public:
  explicit FakeStreams(std::string id) : id_(std::move(id)) {}
  std::string device_id() const override { return id_; }
  DeviceQueue& compute() override { return compute_; }
  std::unique_ptr<DeviceQueue> make_queue() override { return std::make_unique<FakeQueue>(); }
  void set_while_waiting(std::function<void()> action) override { action_ = std::move(action); }
  void wait(const DeviceMark& mark) const;

 private:
  std::string id_;
  FakeQueue compute_;
  std::function<void()> action_;
};

class FakeDevice : public DeviceBackend {
 public:
  explicit FakeDevice(std::string id) : streams_(std::move(id)) {}
  bool is_host_memory() const override { return false; }
  void* allocate(int64_t size_bytes) override {
    blocks_.emplace_back(static_cast<size_t>(size_bytes));
    return blocks_.back().data();
  }
  void release(void*) noexcept override {}  // queues may still use it
  int64_t free_bytes() const override { return 0; }
  int64_t total_bytes() const override { return 0; }
  void clear(void* data, int64_t bytes) override;
  void upload_rows(const void* host, void* data, const CopyRows& rows) override;
  void download(const void* data, void* host, int64_t bytes) override;
  void synchronize() override { streams_.wait(*streams_.compute().mark()); }
  DeviceStreams* streams() override { return &streams_; }

 private:
  void run(std::function<void()> task);
  std::deque<std::vector<char>> blocks_;  // until the queues have ended
  FakeStreams streams_;
};

}  // namespace argosy
