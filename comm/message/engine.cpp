// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/engine.h"

#include <algorithm>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

bool Operation::advance() {
  if (done()) return false;
  promise_type& promise = handle_.promise();
  try {
    if (!promise.awaited->test()) return false;
  } catch (const std::exception&) {
    promise.error = std::current_exception();
    return true;
  }
  handle_.resume();
  return true;
}

// A call under way, registered with the engine for as long as it lives.
class Engine::Call : public Request::State {
 public:
  Call(std::shared_ptr<Engine> engine, Operation operation_, CallName name_)
      : operation(std::move(operation_)), name(name_), engine_(std::move(engine)) {
    engine_->under_way_.push_back(this);
  }
  ~Call() override { std::erase(engine_->under_way_, this); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void wait() override { engine_->wait(*this); }
  bool test() override {
    if (!operation.done() && !engine_->advance_all()) engine_->waiter_->check();
    return operation.done() || engine_->failure_;
  }

  Operation operation;
  const CallName name;

 private:
  std::shared_ptr<Engine> engine_;
};

Request Engine::start(Operation operation, CallName call) {
  operation.rethrow_error();
  if (operation.done()) return Request();
  return Request(std::make_unique<Call>(shared_from_this(), std::move(operation), call));
}

void Engine::throw_if_failed() const {
  if (failure_) std::rethrow_exception(failure_);
}

bool Engine::advance_all() {
  waiter_->pass_begins();
  bool moved = false;
  for (Call* call : under_way_) {
    if (!call->operation.advance()) continue;
    moved = true;
    try {
      call->operation.rethrow_error();
    } catch (const std::exception&) {
      if (!failure_) failure_ = std::current_exception();
    }
  }
  return moved;
}

void Engine::wait(Call& call) {
  const Clock::time_point begin = Clock::now();
  int64_t idle_passes = 0;
  while (!call.operation.done()) {
    if (advance_all()) {
      idle_passes = 0;
      continue;
    }
    throw_if_failed();
    waiter_->idle(++idle_passes);
    const double waited_s = seconds_since(begin);
    if (timeout_s_ > 0 && waited_s > timeout_s_) {
      const std::string peer =
          call.name.peer < 0 ? "its peers" : concat("group rank ", call.name.peer);
      throw Error(concat("rank ", world_rank_, ": ", call.name.name, " of ", call.name.bytes,
                         " bytes waited ", waited_s, " s for ", peer, " (limit ", timeout_s_,
                         " s)"));
    }
  }
  call.operation.rethrow_error();
  throw_if_failed();
}

}  // namespace argosy
