// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/device_context.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace argosy {
namespace {

constexpr int64_t kAlignmentBytes = 64;            // a cache line, an AVX-512 register
constexpr int64_t kHugePageBytes = 2 * (1 << 20);  // x86-64; freshly mapped 4 KiB pages are slow

// The size that a block is allocated with, so that ragged requests (tokens of an expert) find
// blocks to reuse: eight classes between two powers of two, whole huge pages above 2 MiB.
int64_t block_size_bytes(int64_t requested_bytes) {
  const int64_t bytes = std::max<int64_t>(requested_bytes, kAlignmentBytes);
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  const int64_t step = bytes >= kHugePageBytes ? std::max(power / 8, kHugePageBytes)
                                               : std::max(power / 8, kAlignmentBytes);
  return (bytes + step - 1) / step * step;
}

void* allocate_block(int64_t size_bytes) {
  const bool huge = size_bytes >= kHugePageBytes;
  const auto size = static_cast<size_t>(size_bytes);
  const auto alignment = static_cast<size_t>(huge ? kHugePageBytes : kAlignmentBytes);
  void* block = std::aligned_alloc(alignment, size);
  if (block == nullptr) {
    throw Error(concat("aligned_alloc(", size_bytes, " bytes): ", std::strerror(errno)));
  }
  // Advice only: without huge pages it is slower, not wrong.
  if (huge) (void)madvise(block, size, MADV_HUGEPAGE);
  return block;
}

void add_bytes(MemoryUse& use, MemoryCategory category, int64_t bytes) {
  const auto c = static_cast<size_t>(category);
  use.current[c] += bytes;
  use.peak[c] = std::max(use.peak[c], use.current[c]);
  use.total_current += bytes;
  use.total_peak = std::max(use.total_peak, use.total_current);
}

}  // namespace

// Blocks and counters. Storages share it, so that a tensor freed late does no harm.
struct DeviceContext::Pool {
  MemoryUse use;
  std::map<int64_t, std::vector<void*>> free_blocks;  // by block size in bytes

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    for (auto& [size_bytes, blocks] : free_blocks) {
      for (void* block : blocks) std::free(block);
    }
  }
  void* take(int64_t size_bytes) {
    auto& blocks = free_blocks[size_bytes];
    if (blocks.empty()) return allocate_block(size_bytes);
    void* block = blocks.back();  // the block freed last: likely still in the cache
    blocks.pop_back();
    return block;
  }
};

// One block in use.
class Storage {
 public:
  Storage(std::shared_ptr<DeviceContext::Pool> pool, int64_t bytes, MemoryCategory category)
      : pool_(std::move(pool)),
        bytes_(bytes),
        category_(category),
        block_(pool_->take(block_size_bytes(bytes))) {
    add_bytes(pool_->use, category_, bytes_);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage() {
    add_bytes(pool_->use, category_, -bytes_);
    pool_->free_blocks[block_size_bytes(bytes_)].push_back(block_);
  }
  void* block() const { return block_; }
  void recategorize(MemoryCategory category) {
    add_bytes(pool_->use, category_, -bytes_);
    category_ = category;
    add_bytes(pool_->use, category_, bytes_);
  }

 private:
  std::shared_ptr<DeviceContext::Pool> pool_;
  int64_t bytes_;  // as requested
  MemoryCategory category_;
  void* block_;
};

DeviceContext::DeviceContext(Device device) : device_(device), pool_(std::make_shared<Pool>()) {
  if (device != Device::cpu) {
    throw Error(concat("this build has no ", device == Device::cuda ? "CUDA" : "such", " device"));
  }
}

DeviceContext::~DeviceContext() {
  // Tensors are to die first; an exception on its way may still hold some.
  assert(pool_->use.total_current == 0 || std::uncaught_exceptions() > 0);
}

Tensor DeviceContext::empty(Shape shape, DType dtype, MemoryCategory category) {
  for (int i = 0; i < shape.rank(); ++i) CHECK(shape[i] >= 0, "shape ", to_string(shape));
  const int64_t bytes = shape.size() * size_in_bytes(dtype);
  auto storage = std::make_shared<Storage>(pool_, bytes, category);
  void* data = storage->block();
  return Tensor(std::move(storage), data, shape, dtype, device_);
}

Tensor DeviceContext::zeros(Shape shape, DType dtype, MemoryCategory category) {
  Tensor tensor = empty(shape, dtype, category);
  std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

void DeviceContext::recategorize(const Tensor& tensor, MemoryCategory category) {
  CHECK(tensor.storage() != nullptr, "a tensor without memory");
  tensor.storage()->recategorize(category);
}

const MemoryUse& DeviceContext::memory() const {
  return pool_->use;
}

void DeviceContext::reset_peaks() {
  pool_->use.peak = pool_->use.current;
  pool_->use.total_peak = pool_->use.total_current;
}

}  // namespace argosy
