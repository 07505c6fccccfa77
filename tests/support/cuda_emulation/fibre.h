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
  void enter();  // until the body ends or leaves
  void leave();  // called by the body; returns when it is entered again
  [[noreturn]] void leave_for_ever();
  bool ended() const { return ended_; }  // the body did

 private:
  static void main(Fibre* self);
  const std::function<void()>* body_ = nullptr;
  bool ended_ = false;
  char* stack_ = nullptr;               // kStackBytes, a guard page below
  void* stack_pointer_ = nullptr;       // of the fibre, while it does not run
  void* caller_pointer_ = nullptr;      // of who entered it
  const void* caller_stack_ = nullptr;  // for the address sanitizer
  size_t caller_stack_bytes_ = 0;
};

}  // namespace argosy::cuda_emulation
