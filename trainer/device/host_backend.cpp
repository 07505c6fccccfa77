// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/host_backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "planner/spec/check.h"
#include "trainer/device/pinned_copies.h"

namespace argosy {
namespace {

// The number behind a word of a file ("MemAvailable: 123"), or, without a word, the first of it;
// nothing where there is none, as in "max".
std::optional<int64_t> number_in(const char* path, const std::string& word = "") {
  std::ifstream file(path);
  int64_t number = 0;
  if (word.empty()) return file >> number ? std::optional(number) : std::nullopt;
  for (std::string found; file >> found;) {
    if (found == word) return file >> number ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

// What the control group of a container leaves (cgroup v2): its caches are given back before it is
// full.
int64_t group_bytes() {
  const auto most = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!most || !used) return std::numeric_limits<int64_t>::max();
  const int64_t caches = number_in("/sys/fs/cgroup/memory.stat", "inactive_file").value_or(0);
  return std::max<int64_t>(0, *most - *used + caches);
}

class HostBackend : public DeviceBackend {
 public:
  explicit HostBackend(PinnedCopies* pinned) : pinned_(pinned), pages_(make_cpu_backend()) {}

  bool is_host_memory() const override { return true; }
  bool is_beside_device() const override { return true; }
  // Linux promises memory that it has not, and ends who uses it: what is not there is not asked
  // for.
  void* allocate(int64_t size_bytes) override {
    if (size_bytes > free_bytes()) return nullptr;
    return pinned_ != nullptr ? pinned_->allocate(size_bytes) : pages_->allocate(size_bytes);
  }
  int64_t size_step_bytes(int64_t size_bytes) const override {
    return pages_->size_step_bytes(size_bytes);
  }
  void release(void* block) noexcept override {
    pinned_ != nullptr ? pinned_->release(block) : pages_->release(block);
  }
  int64_t free_bytes() const override { return available_host_bytes(); }
  int64_t total_bytes() const override { return pages_->total_bytes(); }
  void clear(void* data, int64_t bytes) override { pages_->clear(data, bytes); }
  void upload_rows(const void* host, void* data, const CopyRows& rows) override {
    pages_->upload_rows(host, data, rows);
  }
  void download(const void* data, void* host, int64_t bytes) override {
    pages_->download(data, host, bytes);
  }
  void synchronize() override {}

 private:
  PinnedCopies* pinned_;  // null: any memory of the host will do
  std::unique_ptr<DeviceBackend> pages_;
};

}  // namespace

int64_t available_host_bytes() {
  constexpr int64_t kKiB = 1024;
  const auto available = number_in("/proc/meminfo", "MemAvailable:");
  const int64_t machine_bytes =
      available ? *available * kKiB : sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return std::min(machine_bytes, group_bytes());
}

std::unique_ptr<DeviceBackend> make_host_backend(DeviceBackend& device) {
  PinnedCopies* pinned = device.pinned_copies();
  CHECK(pinned != nullptr || device.is_host_memory(), "a device without pinned memory");
  return std::make_unique<HostBackend>(pinned);
}

}  // namespace argosy
