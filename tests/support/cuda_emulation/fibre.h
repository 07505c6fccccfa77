// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A call that can be left in its middle and entered again; x86-64, System V. A switch costs some
// nanoseconds, where ucontext's would cost two system calls.
#pragma once

#include <cstddef>
#include <functional>

namespace argosy::cuda_emulation {

class Fibre {
 public:
  Fibre() = default;
  ~Fibre();
  Fibre(Fibre&& other) noexcept;
  Fibre& operator=(Fibre&&) = delete;

  // The next enter() begins `body` on the fibre's own stack, wherever the last call of it stood.
  // It must live until then.
  void start(const std::function<void()>& body);
  void enter();  // until this body, or one that was left for, ends or leaves
  // Called by the body; both return when it is entered again.
  void leave();
  void leave_for(Fibre& next);  // enters the other one at once, who then leaves in this one's place
  [[noreturn]] void leave_for_ever();
  bool ended() const { return ended_; }  // the body did

 private:
  // Who entered, and waits until somebody leaves.
  struct Caller {
    void* stack_pointer = nullptr;
    const void* stack = nullptr;  // for the address sanitizer
    size_t stack_bytes = 0;
  };

  static void main(Fibre* self);
  void arrived(void* fake_stack);
  const std::function<void()>* body_ = nullptr;
  bool ended_ = false;
  char* stack_ = nullptr;          // kStackBytes, a guard page below
  void* stack_pointer_ = nullptr;  // of the fibre, while it does not run
  Caller* caller_ = nullptr;
};

}  // namespace argosy::cuda_emulation
