// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/fibre.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/poison.h"

// Saves the registers that a call keeps and the stack pointer to *from, goes on at `to`.
extern "C" void argosy_switch_stack(void** from, void* to);
__asm__(R"(
.text
.globl argosy_switch_stack
.type argosy_switch_stack, @function
argosy_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size argosy_switch_stack, .-argosy_switch_stack
.globl argosy_start_fibre
.type argosy_start_fibre, @function
argosy_start_fibre:
  movq %r12, %rdi
  call *%r13
  ud2
.size argosy_start_fibre, .-argosy_start_fibre
)");
extern "C" void argosy_start_fibre();

namespace argosy::cuda_emulation {
namespace {

constexpr size_t kStackBytes = 128 * 1024;  // sanitizers widen frames
constexpr size_t kGuardBytes = 4096;

char* new_stack() {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED, "no memory for a fibre's stack");
  CHECK(mprotect(memory, kGuardBytes, PROT_NONE) == 0);
  return static_cast<char*>(memory) + kGuardBytes;
}

}  // namespace

Fibre::Fibre(Fibre&& other) noexcept
    : body_(other.body_),
      ended_(other.ended_),
      stack_(std::exchange(other.stack_, nullptr)),
      stack_pointer_(other.stack_pointer_) {}

Fibre::~Fibre() {
  if (stack_ != nullptr) munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes);
}

void Fibre::start(const std::function<void()>& body) {
  body_ = &body;
  ended_ = false;
  if (stack_ == nullptr) stack_ = new_stack();
  unpoison_stack(stack_, kStackBytes);  // of a call that never ended
  // What argosy_switch_stack takes from the stack: six registers and where it returns to; then the
  // stack is aligned as a call expects it.
  auto* top = reinterpret_cast<uintptr_t*>(stack_ + kStackBytes) - 2;
  *--top = reinterpret_cast<uintptr_t>(&argosy_start_fibre);
  *--top = 0;                                          // rbp
  *--top = 0;                                          // rbx
  *--top = reinterpret_cast<uintptr_t>(this);          // r12
  *--top = reinterpret_cast<uintptr_t>(&Fibre::main);  // r13
  *--top = 0;                                          // r14
  *--top = 0;                                          // r15
  stack_pointer_ = top;
}

void Fibre::main(Fibre* self) {
  finish_stack_switch(nullptr, &self->caller_stack_, &self->caller_stack_bytes_);
  (*self->body_)();
  self->ended_ = true;
  self->leave_for_ever();
}

void Fibre::enter() {
  void* fake_stack = nullptr;
  begin_stack_switch(&fake_stack, stack_, kStackBytes);
  argosy_switch_stack(&caller_pointer_, stack_pointer_);
  finish_stack_switch(fake_stack, nullptr, nullptr);
}

void Fibre::leave() {
  void* fake_stack = nullptr;
  begin_stack_switch(&fake_stack, caller_stack_, caller_stack_bytes_);
  argosy_switch_stack(&stack_pointer_, caller_pointer_);
  finish_stack_switch(fake_stack, &caller_stack_, &caller_stack_bytes_);
}

void Fibre::leave_for_ever() {
  begin_stack_switch(nullptr, caller_stack_, caller_stack_bytes_);
  argosy_switch_stack(&stack_pointer_, caller_pointer_);
  std::abort();  // not reached
}

}  // namespace argosy::cuda_emulation
