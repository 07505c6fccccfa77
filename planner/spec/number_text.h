// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace argosy {

// The number that all of `text` is, as int64_t or double; nothing where it is none, holds anything
// beside it, or is beyond Number.
template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace argosy
