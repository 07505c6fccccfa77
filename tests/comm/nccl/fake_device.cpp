// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/comm/nccl/fake_device.h"

#include <cstring>

namespace argosy {
namespace {

class FakeMark : public DeviceMark {
 public:
  bool reached() const override { return *flag; }
  std::shared_ptr<std::atomic<bool>> flag = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

FakeQueue::~FakeQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void FakeQueue::put(std::function<void()> task) const {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void FakeQueue::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ends_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void FakeQueue::wait_for(const DeviceMark& mark) {
  put([flag = dynamic_cast<const FakeMark&>(mark).flag] { flag->wait(false); });
}

std::unique_ptr<DeviceMark> FakeQueue::mark() const {
  auto mark = std::make_unique<FakeMark>();
  put([flag = mark->flag] {
    *flag = true;
    flag->notify_all();
  });
  return mark;
}

void FakeStreams::wait(const DeviceMark& mark) const {
  while (!mark.reached()) {
    if (action_) action_();
    std::this_thread::yield();
  }
}

void FakeDevice::run(std::function<void()> task) {
  static_cast<FakeQueue&>(streams_.compute()).put(std::move(task));
  synchronize();
}

void FakeDevice::clear(void* data, int64_t bytes) {
  run([=] { std::memset(data, 0, static_cast<size_t>(bytes)); });
}

void FakeDevice::upload_rows(const void* host, void* data, const CopyRows& rows) {
  run([=] { copy_rows(host, data, rows); });
}

void FakeDevice::download(const void* data, void* host, int64_t bytes) {
  if (bytes == 0) return;
  const auto pinned = std::make_shared<std::vector<char>>(static_cast<size_t>(bytes));
  run([=] { std::memcpy(pinned->data(), data, pinned->size()); });
  std::memcpy(host, pinned->data(), pinned->size());
}

}  // namespace argosy
