// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/poison.h"

#include <algorithm>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace argosy::cuda_emulation {
namespace {

constexpr unsigned char kNan = 0xff, kMark = 0xa5;  // all ones are a NaN in every float type
constexpr size_t kMarkBytes = 1024;

}  // namespace

#ifdef __SANITIZE_ADDRESS__
void begin_stack_switch(void** fake_stack, const void* stack, size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
}
void finish_stack_switch(void* fake_stack, const void** stack, size_t* bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, stack, bytes);
}
void unpoison_stack(const void* stack, size_t bytes) {
  __asan_unpoison_memory_region(stack, bytes);
}
static void forbid(const void* memory, size_t bytes) {
  __asan_poison_memory_region(memory, bytes);
}
static void allow(const void* memory, size_t bytes) {
  __asan_unpoison_memory_region(memory, bytes);
}
#else
void begin_stack_switch(void**, const void*, size_t) {}
void finish_stack_switch(void*, const void**, size_t*) {}
void unpoison_stack(const void*, size_t) {}
static void forbid(const void*, size_t) {}
static void allow(const void*, size_t) {}
#endif

PoisonedMemory::PoisonedMemory(void* memory, size_t used_bytes, size_t all_bytes)
    : mark_(static_cast<unsigned char*>(memory) + used_bytes),
      mark_bytes_(std::min(kMarkBytes, all_bytes - used_bytes)) {
  std::memset(memory, kNan, used_bytes);
  std::memset(mark_, kMark, mark_bytes_);
  forbid(mark_, mark_bytes_);
}

PoisonedMemory::~PoisonedMemory() {
  allow(mark_, mark_bytes_);
}

bool PoisonedMemory::is_intact() const {
  allow(mark_, mark_bytes_);
  return std::all_of(mark_, mark_ + mark_bytes_, [](unsigned char c) { return c == kMark; });
}

}  // namespace argosy::cuda_emulation
