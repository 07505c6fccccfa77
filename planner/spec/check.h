// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Errors have an owner. The user's mistake is a ConfigError (exit code 2); a failed call of a
// library or the system is an Error naming call, code and place; a broken invariant of our own is a
// CHECK, always on. Libraries throw, only main prints.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace argosy {

// A call failed for a reason outside of the program's control (exit code 1).
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The user's mistake (exit code 2). The message names file or option, key, value, and what would be
// valid.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Exit codes that launchers and scripts rely on.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUserError = 2;
inline constexpr int kExitNoPlan = 3;
inline constexpr int kExitRequeue = 75;
inline constexpr int kExitDoNotRequeue = 93;

// Concatenates its arguments with operator<<.
template <typename... Args>
std::string concat(const Args&... args) {
  std::ostringstream text;
  (text << ... << args);
  return text.str();
}

// Adds an item, made of the arguments, to a list as people read it: "tp, pp, dp".
template <typename... Args>
void append_listed(std::string& list, const Args&... item) {
  list += concat(list.empty() ? "" : ", ", item...);
}

namespace detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const std::string& message);
}  // namespace detail

// CHECK(condition, values...): throws std::logic_error with the expression, the place and the
// concatenated values.
#define CHECK(condition, ...)                                                          \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      ::argosy::detail::check_failed(#condition, __FILE__, __LINE__,                   \
                                     ::argosy::concat("" __VA_OPT__(, ) __VA_ARGS__)); \
    }                                                                                  \
  } while (false)

}  // namespace argosy
