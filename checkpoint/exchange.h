// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How ranks talk about success and names: strings over collectives, and one rule for errors: when
// any rank failed, every rank throws the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "planner/spec/check.h"

namespace argosy {

// Collective. Every rank's text on every rank, in rank order.
std::vector<std::string> gather_strings(Communicator& world, const std::string& text);

// Collective. Every rank's text on rank 0, in rank order; empty elsewhere.
std::vector<std::string> gather_strings_at_root(Communicator& world, const std::string& text);

// Collective. The text of rank 0 on every rank.
std::string broadcast_string(Communicator& world, const std::string& text);

// How something went on one rank, as a value that can travel.
struct Outcome {
  enum class Kind { ok, config_error, error };
  Kind kind = Kind::ok;
  std::string message;
  bool on_all_ranks = false;  // all have this very outcome
  bool ok() const { return kind == Kind::ok; }
};

// Runs `action`; exceptions become outcomes.
Outcome attempt(const std::function<void()>& action);

// Collective. ok when every rank's is; else the first failing rank's, its rank named, the same on
// all ranks.
Outcome agree(Communicator& world, const Outcome& mine);

// The user's mistake, thrown on all ranks: each can go its way to the end by itself, and only one
// need speak.
class AgreedConfigError : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

// Error or ConfigError unless ok; AgreedConfigError where it is on all ranks.
void throw_if_failed(const Outcome& outcome);

}  // namespace argosy
