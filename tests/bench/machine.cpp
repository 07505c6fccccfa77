// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/bench/machine.h"

#include <omp.h>

#include "trainer/ops/elementwise.h"

namespace argosy::bench {

namespace {

constexpr int kMaxArrays = 4;
constexpr int64_t kBlock = 4096;  // elements that a thread takes of each array in turn

std::vector<Tensor> arrays(DeviceContext& ctx, int64_t bytes, int count) {
  std::vector<Tensor> result;
  for (int i = 0; i < count; ++i) {
    const int64_t size = bytes / count / size_in_bytes(DType::fp32);
    result.push_back(ctx.empty({size}, DType::fp32, MemoryCategory::buffers));
    ops::fill_zero(ctx, result.back());  // touches the pages
  }
  return result;
}

float sum(const float* x, int64_t size) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < size; ++i) total += x[i];
  return total;
}

void set(float* x, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) x[i] = 1.0f;
}

void update(float* x, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) x[i] = x[i] * 0.5f + 1.0f;
}

// body(first element, number of elements) of the blocks of `x`, of which thread `thread` of `count`
// takes a contiguous part.
template <typename Body>
void block_of(const Tensor& x, int64_t block, int64_t num_blocks, const Body& body) {
  const int64_t begin = x.size() * block / num_blocks, end = x.size() * (block + 1) / num_blocks;
  body(x.data<float>() + begin, end - begin);
}

}  // namespace

Reference::Reference(DeviceContext& ctx, const Traffic& traffic, int num_read, int num_written,
                     int num_updated)
    : read_(arrays(ctx, traffic.read_bytes, num_read)),
      written_(arrays(ctx, traffic.written_bytes, num_written)),
      updated_(arrays(ctx, traffic.updated_bytes, num_updated)),
      sums_(static_cast<size_t>(omp_get_max_threads()) * 8) {
  CHECK(num_read <= kMaxArrays && num_written <= kMaxArrays && num_updated <= kMaxArrays);
}

void Reference::run() {
  int64_t longest = 0;
  for (const auto* list : {&read_, &written_, &updated_}) {
    for (const Tensor& x : *list) longest = std::max(longest, x.size());
  }
  const int64_t num_blocks = std::max<int64_t>(longest / kBlock, 1);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < num_blocks; ++block) {
    float total = 0;
    for (const Tensor& x : read_) {
      block_of(x, block, num_blocks, [&](const float* p, int64_t n) { total += sum(p, n); });
    }
    for (const Tensor& x : written_) {
      block_of(x, block, num_blocks, [](float* p, int64_t n) { set(p, n); });
    }
    for (const Tensor& x : updated_) {
      block_of(x, block, num_blocks, [](float* p, int64_t n) { update(p, n); });
    }
    sums_[static_cast<size_t>(omp_get_thread_num()) * 8] += static_cast<double>(total);
  }
}

}  // namespace argosy::bench
