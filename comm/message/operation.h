// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A non-blocking call is a coroutine: straight-line code that posts a batch of messages, suspends
// until they have arrived, computes, posts the next. Nothing runs by itself: Engine resumes it from
// whichever wait() or test() this rank is in.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "comm/message/event.h"

namespace argosy {

class Operation {
 public:
  struct promise_type {
    Event* awaited = nullptr;
    std::exception_ptr error;

    Operation get_return_object() {
      return Operation(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }  // posts at once
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }
  };

  Operation(Operation&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Operation& operator=(Operation&&) = delete;
  ~Operation() {
    if (handle_) handle_.destroy();
  }

  // Runs on if the awaited event has happened; true if it did.
  bool advance();
  bool done() const { return handle_.done() || handle_.promise().error; }
  void rethrow_error() const {
    if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
  }

 private:
  explicit Operation(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// co_await until(event): suspends until the event has happened, be it that every message of a batch
// is delivered. The event must live that long.
struct Until {
  Event& event;
  bool await_ready() { return event.test(); }
  void await_suspend(std::coroutine_handle<Operation::promise_type> handle) noexcept {
    handle.promise().awaited = &event;
  }
  void await_resume() noexcept {}
};
inline Until until(Event& event) {
  return Until{event};
}

}  // namespace argosy
