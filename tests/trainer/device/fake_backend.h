// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A device with little memory, on the host: what the pool does where memory ends.
#pragma once

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "trainer/device/device_backend.h"

namespace argosy {

class FakeBackend : public DeviceBackend {
 public:
  // What happened, for the test to look at after the pool is gone.
  struct Log {
    std::vector<std::string> calls;  // "allocate 128", "release 128", "synchronize"
    std::map<void*, int64_t> blocks;
  };
  FakeBackend(int64_t total_bytes, Log& log) : total_bytes_(total_bytes), log_(log) {}

  bool is_host_memory() const override { return true; }
  void* allocate(int64_t size_bytes) override {
    log_.calls.push_back("allocate " + std::to_string(size_bytes));
    if (size_bytes > free_bytes()) return nullptr;
    void* block = std::malloc(static_cast<size_t>(size_bytes));
    log_.blocks[block] = size_bytes;
    return block;
  }
  void release(void* block) noexcept override {
    log_.calls.push_back("release " + std::to_string(log_.blocks.at(block)));
    log_.blocks.erase(block);
    std::free(block);
  }
  int64_t free_bytes() const override {
    int64_t used_bytes = 0;
    for (const auto& [block, bytes] : log_.blocks) used_bytes += bytes;
    return total_bytes_ - used_bytes;
  }
  int64_t total_bytes() const override { return total_bytes_; }
  void clear(void* data, int64_t bytes) override { std::memset(data, 0, size_t(bytes)); }
  void upload_rows(const void*, void*, const CopyRows&) override {}
  void download(const void*, void*, int64_t) override {}
  void synchronize() override { log_.calls.push_back("synchronize"); }

 private:
  int64_t total_bytes_;
  Log& log_;
};

}  // namespace argosy
