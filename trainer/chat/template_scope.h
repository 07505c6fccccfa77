// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What Renderer enters and leaves.
#pragma once

#include "planner/spec/check.h"
#include "trainer/chat/template_eval.h"

namespace argosy::jinja {

// A scope within `outer`, current until the end.
class ScopeGuard {
 public:
  ScopeGuard(Renderer& renderer, Scope* outer) : renderer_(renderer), previous_(renderer.scope_) {
    if (renderer.free_scopes_.empty()) {
      renderer.scopes_.emplace_back();
      renderer.free_scopes_.push_back(&renderer.scopes_.back());
    }
    renderer.scope_ = renderer.free_scopes_.back();
    renderer.free_scopes_.pop_back();
    renderer.scope_->outer = outer;
  }
  explicit ScopeGuard(Renderer& renderer) : ScopeGuard(renderer, renderer.scope_) {}
  ~ScopeGuard() {
    Scope* scope = renderer_.scope_;
    renderer_.scope_ = previous_;
    if (scope->is_captured) {
      scope->has_ended = true;
      return;
    }
    scope->variables.clear();
    renderer_.free_scopes_.push_back(scope);
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Renderer& renderer_;
  Scope* previous_;
};

// Expressions and blocks within each other, macros that call macros included: a limit for the
// stack, about 500 bytes each.
class DepthGuard {
 public:
  explicit DepthGuard(Renderer& renderer) : renderer_(renderer) {
    constexpr int kMaxDepth = 2000;
    if (renderer.depth_ >= kMaxDepth) {
      throw TemplateFault("macros call each other too deeply");
    }
    ++renderer.depth_;
  }
  ~DepthGuard() { --renderer_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Renderer& renderer_;
};

}  // namespace argosy::jinja
