// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

namespace argosy {

// What a call under way waits for: messages that arrive, a peer that has come to the same round.
class Event {
 public:
  virtual ~Event() = default;
  // Never blocks; true: it has happened. Throws Error when it never can.
  virtual bool test() = 0;
};

}  // namespace argosy
