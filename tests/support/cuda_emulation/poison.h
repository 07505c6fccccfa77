// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the emulation tells the address sanitizer, where it is on, and what it checks without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace argosy::cuda_emulation {

// Calls of the sanitizer's interface for fibres; nothing without it.
void begin_stack_switch(void** fake_stack, const void* stack, size_t bytes);
void finish_stack_switch(void* fake_stack, const void** stack, size_t* bytes);
void unpoison_stack(const void* stack, size_t bytes);

// `used` bytes of NaN, then a mark that nobody may write (nor read, under the sanitizer).
class PoisonedMemory {
 public:
  PoisonedMemory(void* memory, size_t used_bytes, size_t all_bytes);
  ~PoisonedMemory();
  PoisonedMemory(const PoisonedMemory&) = delete;
  PoisonedMemory& operator=(const PoisonedMemory&) = delete;
  bool is_intact() const;

 private:
  unsigned char* mark_;
  size_t mark_bytes_;
};

}  // namespace argosy::cuda_emulation
