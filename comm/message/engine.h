// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/message/operation.h"
#include "comm/message/scratch.h"

namespace argosy {

// How a rank passes the time while nothing has arrived.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void pass_begins() = 0;  // before the calls under way are looked at
  // Nothing moved in that pass: gives the core away for a moment. `idle_passes` in a row did not
  // move. Throws Error when the job has failed elsewhere.
  virtual void idle(int64_t idle_passes) = 0;
  // Whoever only looks waits for nobody. Throws Error when the job has failed elsewhere.
  virtual void check() {}
};

// What a call is, for messages.
struct CallName {
  const char* name = "";  // a string literal
  int64_t bytes = 0;
  int peer = -1;  // -1: the whole group
};

// Moves all calls of one rank on, whichever of them it waits for: a peer may need the next message
// of another call, of this or of another communicator, before it can answer this one. One engine a
// rank, shared by all communicators split from its world; not thread-safe, as MPI's FUNNELED.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // A wait longer than `timeout_s` throws Error naming rank and call; 0: waits for ever.
  Engine(std::unique_ptr<Waiter> waiter, int world_rank, double timeout_s)
      : waiter_(std::move(waiter)), world_rank_(world_rank), timeout_s_(timeout_s) {}

  Request start(Operation operation, CallName call);
  // Shared by the rank's calls.
  const std::shared_ptr<ScratchPool>& scratch() const { return scratch_; }
  int64_t num_under_way() const { return static_cast<int64_t>(under_way_.size()); }
  void throw_if_failed() const;

 private:
  class Call;
  bool advance_all();
  void wait(Call& call);

  std::unique_ptr<Waiter> waiter_;
  std::shared_ptr<ScratchPool> scratch_ = std::make_shared<ScratchPool>();
  std::vector<Call*> under_way_;
  std::exception_ptr failure_;  // the first of any call; thrown by all later ones
  int world_rank_;
  double timeout_s_;
};

}  // namespace argosy
