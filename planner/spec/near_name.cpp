// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/near_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace argosy {

namespace {

constexpr size_t kFarthest = 2, kShort = 3;  // letters

std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) != 0) letters += static_cast<char>(std::tolower(letter));
  }
  return letters;
}

// Levenshtein's.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, diagonal + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view given, const std::vector<std::string>& names) {
  const std::string wanted = letters_of(given);
  size_t nearest = (wanted.size() <= kShort ? 1 : kFarthest) + 1;
  std::string found;
  for (const std::string& name : names) {
    const bool begins = wanted.size() >= kShort && letters_of(name).starts_with(wanted);
    if (begins && (found.empty() || letters_of(name).size() < letters_of(found).size())) {
      found = name;
    }
  }
  if (!found.empty()) return found;
  for (const std::string& name : names) {
    const size_t distance = edit_distance(wanted, letters_of(name));
    if (distance >= nearest) continue;
    nearest = distance;
    found = name;
  }
  return found;
}

}  // namespace argosy
