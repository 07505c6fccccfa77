// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>

#include "trainer/device/device_backend.h"

namespace argosy {
namespace {

void* allocate_huge_pages(int64_t bytes) {
  const auto size = static_cast<size_t>(bytes);
  void* block = std::aligned_alloc(static_cast<size_t>(kHugePageBytes), size);
  // Freshly mapped small pages are slow. Advice only: without huge pages it is slower, not wrong.
  if (block != nullptr) (void)madvise(block, size, MADV_HUGEPAGE);
  return block;
}

// Blocks of about a huge page side by side: each in pages of its own would leave the rest of its
// last page unused, a fourth of it all where activations of a layer are 3 MiB.
class Slabs {
 public:
  static constexpr int64_t kSmallest = int64_t{1} << 20, kLargest = int64_t{16} << 20;

  void* allocate(int64_t bytes) {
    if (open_ == nullptr || used_bytes_ + bytes > kSlabBytes) {
      auto* slab = static_cast<char*>(allocate_huge_pages(kSlabBytes));
      if (slab == nullptr) return nullptr;
      num_blocks_[slab] = 0;
      open_ = slab;
      used_bytes_ = 0;
    }
    ++num_blocks_[open_];
    char* block = open_ + used_bytes_;
    used_bytes_ += bytes;
    return block;
  }

  // False: none of these.
  bool release(void* block) noexcept {
    auto slab = num_blocks_.upper_bound(static_cast<char*>(block));
    if (slab == num_blocks_.begin()) return false;
    slab = std::prev(slab);
    if (static_cast<char*>(block) >= slab->first + kSlabBytes) return false;
    if (--slab->second > 0) return true;
    if (slab->first == open_) open_ = nullptr;
    std::free(slab->first);
    num_blocks_.erase(slab);
    return true;
  }

 private:
  static constexpr int64_t kSlabBytes = int64_t{64} << 20;  // what is not touched takes no memory
  std::map<char*, int64_t> num_blocks_;                     // in use, by slab
  char* open_ = nullptr;
  int64_t used_bytes_ = 0;  // of the open one
};

// Libraries take memory for each product from malloc. Whether glibc gives it back to the system
// when it is freed depends on where the heap ends: a step then mapped some MiB anew, 4 KiB at a
// time. The limit between heap and mappings is the largest that glibc finds by itself (mallopt(3)),
// and twice as much stays at the heap's end, as there.
void keep_freed_heap() {
  constexpr int kLargestInHeap = 32 << 20;
  (void)mallopt(M_MMAP_THRESHOLD, kLargestInHeap);
  (void)mallopt(M_TRIM_THRESHOLD, 2 * kLargestInHeap);
}

class CpuBackend : public DeviceBackend {
 public:
  CpuBackend() { keep_freed_heap(); }

  bool is_host_memory() const override { return true; }
  int64_t size_step_bytes(int64_t size_bytes) const override {
    return size_bytes > Slabs::kLargest ? kHugePageBytes : kLineBytes;
  }
  void* allocate(int64_t size_bytes) override {
    if (size_bytes > Slabs::kLargest) return allocate_huge_pages(size_bytes);
    if (size_bytes >= Slabs::kSmallest) return slabs_.allocate(size_bytes);
    return std::aligned_alloc(static_cast<size_t>(kLineBytes), static_cast<size_t>(size_bytes));
  }
  void release(void* block) noexcept override {
    if (!slabs_.release(block)) std::free(block);
  }
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

  Slabs slabs_;
};

}  // namespace

std::unique_ptr<DeviceBackend> make_cpu_backend() {
  return std::make_unique<CpuBackend>();
}

}  // namespace argosy
