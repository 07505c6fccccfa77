// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/communicator.h"

#include "comm/self/self_communicator.h"

#include <exception>
#include <utility>

namespace argosy {

Request& Request::operator=(Request&& other) noexcept {
  if (this != &other) {
    Request finished(std::move(*this));  // waits in its destructor
    state_ = std::move(other.state_);
    on_device_ = other.on_device_;
    span_ = other.span_;
  }
  return *this;
}

// While an exception unwinds the stack the peers may never answer: waiting could hang the very
// report of the failure, so the call is abandoned instead. A failure met here cannot be thrown; the
// back end remembers it and every later call throws it.
Request::~Request() {
  if (!state_ || std::uncaught_exceptions() > 0) return;
  try {
    state_->wait();
  } catch (const std::exception&) {
    state_.reset();
  }
}

std::unique_ptr<Communicator> Communicator::alone() {
  return make_self_communicator();
}

void Request::wait() {
  if (!state_) return;
  const std::unique_ptr<State> state = std::move(state_);
  state->wait();
  span_ = state->device_span();
}

}  // namespace argosy
