// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/fibre.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/poison.h"

// Where a fibre begins: its stack holds the argument and the function.
__asm__(R"(
.text
.globl argosy_start_fibre
.type argosy_start_fibre, @function
argosy_start_fibre:
  popq %rdi
  popq %rax
  call *%rax
  ud2
.size argosy_start_fibre, .-argosy_start_fibre
)");
extern "C" void argosy_start_fibre();

namespace argosy::cuda_emulation {
namespace {

constexpr size_t kStackBytes = 128 * 1024;  // sanitizers widen frames
constexpr size_t kGuardBytes = 4096;
constexpr size_t kPageBytes = 4096, kLineBytes = 64;

// Saves the stack pointer to *from and goes on at `to`, where another call of this left. Inline,
// and by a jump: a `ret` on another stack than its call's goes where no processor expects it, which
// costs more than all the rest.
[[gnu::always_inline]] inline void switch_stack(void** from, void* to) {
  __asm__ volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // what a function may use below its stack pointer
      "pushq %%rbp\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rsi, %%rsp\n\t"
      "popq %%rax\n\t"
      "jmp *%%rax\n"
      "1:\n\t"
      "popq %%rbp\n\t"
      "leaq 128(%%rsp), %%rsp"
      : "+D"(from), "+S"(to)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
}

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
  // Stacks that all began at the same place of a page would share a few lines of the cache.
  constexpr uintptr_t kPlaces = kPageBytes / (2 * kLineBytes);
  const uintptr_t place = reinterpret_cast<uintptr_t>(stack_) / kPageBytes % kPlaces;
  // What switch_stack and argosy_start_fibre take from it; then it is aligned as a call expects it.
  auto* top =
      reinterpret_cast<uintptr_t*>(stack_ + kStackBytes - kLineBytes - 2 * kLineBytes * place);
  *--top = reinterpret_cast<uintptr_t>(&Fibre::main);
  *--top = reinterpret_cast<uintptr_t>(this);
  *--top = reinterpret_cast<uintptr_t>(&argosy_start_fibre);
  stack_pointer_ = top;
}

void Fibre::main(Fibre* self) {
  self->arrived(nullptr);
  (*self->body_)();
  self->ended_ = true;
  self->leave_for_ever();
}

// The first one that is entered sees the caller's stack, the others that of whom they follow.
void Fibre::arrived(void* fake_stack) {
  const void* stack = nullptr;
  size_t bytes = 0;
  finish_stack_switch(fake_stack, &stack, &bytes);
  if (caller_->stack == nullptr) {
    caller_->stack = stack;
    caller_->stack_bytes = bytes;
  }
}

void Fibre::enter() {
  Caller caller;
  caller_ = &caller;
  void* fake_stack = nullptr;
  begin_stack_switch(&fake_stack, stack_, kStackBytes);
  switch_stack(&caller.stack_pointer, stack_pointer_);
  finish_stack_switch(fake_stack, nullptr, nullptr);
}

void Fibre::leave() {
  void* fake_stack = nullptr;
  begin_stack_switch(&fake_stack, caller_->stack, caller_->stack_bytes);
  switch_stack(&stack_pointer_, caller_->stack_pointer);
  arrived(fake_stack);
}

void Fibre::leave_for(Fibre& next) {
  next.caller_ = caller_;
  void* fake_stack = nullptr;
  begin_stack_switch(&fake_stack, next.stack_, kStackBytes);
  switch_stack(&stack_pointer_, next.stack_pointer_);
  arrived(fake_stack);
}

void Fibre::leave_for_ever() {
  begin_stack_switch(nullptr, caller_->stack, caller_->stack_bytes);
  switch_stack(&stack_pointer_, caller_->stack_pointer);
  std::abort();  // not reached
}

}  // namespace argosy::cuda_emulation
