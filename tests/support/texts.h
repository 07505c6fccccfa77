// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What tests ask of texts: of messages above all.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "planner/spec/check.h"

namespace argosy {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The message of the ConfigError that `action` throws; a test failure if it does not.
template <typename Action>
std::string config_error_of(const Action& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no ConfigError";
  return "";
}

}  // namespace argosy
