// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "trainer/device/device_backend.h"

namespace argosy {
namespace {

class CpuBackend : public DeviceBackend {
 public:
  bool is_host_memory() const override { return true; }
  void* allocate(int64_t size_bytes) override {
    const bool huge = size_bytes >= kHugePageBytes;
    const auto size = static_cast<size_t>(size_bytes);
    void* block = std::aligned_alloc(static_cast<size_t>(huge ? kHugePageBytes : kLineBytes), size);
    // Freshly mapped small pages are slow. Advice only: without huge pages it is slower, not wrong.
    if (huge && block != nullptr) (void)madvise(block, size, MADV_HUGEPAGE);
    return block;
  }
  void release(void* block) noexcept override { std::free(block); }
  int64_t free_bytes() const override { return pages_in_bytes(_SC_AVPHYS_PAGES); }
  int64_t total_bytes() const override { return pages_in_bytes(_SC_PHYS_PAGES); }
  void clear(void* data, int64_t bytes) override {
    std::memset(data, 0, static_cast<size_t>(bytes));
  }
  void upload_rows(const void* host, void* data, const CopyRows& rows) override {
    copy_rows(host, data, rows);
  }
  void download(const void* data, void* host, int64_t bytes) override {
    copy_rows(data, host, {bytes, 1, bytes});
  }
  void synchronize() override {}

 private:
  static int64_t pages_in_bytes(int name) {
    return static_cast<int64_t>(sysconf(name)) * static_cast<int64_t>(sysconf(_SC_PAGESIZE));
  }
};

}  // namespace

std::unique_ptr<DeviceBackend> make_cpu_backend() {
  return std::make_unique<CpuBackend>();
}

}  // namespace argosy
