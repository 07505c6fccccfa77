// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr std::array<const char*, 6> kThousands = {"", "k", "M", "B", "T", "P"};

struct Scaled {
  double rest = 0;
  size_t unit = 0;  // times that `step` was taken out
};
// The largest unit that leaves at least 1 before the point: while `most` is reached.
Scaled scale(double value, double step, double most, size_t num_units) {
  Scaled scaled{value};
  while (std::abs(scaled.rest) >= most && scaled.unit + 1 < num_units) {
    scaled.rest /= step;
    ++scaled.unit;
  }
  return scaled;
}

// Three significant digits.
template <size_t kSize>
std::string in_units(double value, double step, const std::array<const char*, kSize>& units,
                     const char* separator) {
  const auto [rest, unit] = scale(value, step, step, kSize);
  const bool whole = unit == 0 || std::abs(rest) >= 100;
  return format_fixed(rest, whole ? 0 : 1) + separator + units[unit];
}

}  // namespace

std::string format_fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string format_bytes(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  return in_units(static_cast<double>(bytes), 1024, kUnits, " ");
}

std::string format_seconds(double seconds) {
  const double size = std::abs(seconds);
  if (size >= 100 || size == 0) return format_fixed(seconds, 0) + " s";
  if (size >= 1) return format_fixed(seconds, size >= 10 ? 1 : 2) + " s";
  if (size >= 1e-3) return format_fixed(seconds * 1e3, size >= 0.1 ? 0 : 1) + " ms";
  return format_fixed(seconds * 1e6, 1) + " us";
}

std::string format_count(double count) {
  return in_units(count, 1000, kThousands, "");
}

std::string format_amount(double amount) {
  if (amount <= 0 || amount >= 10) return format_count(amount);
  return format_fixed(amount, std::max(1, 1 - static_cast<int>(std::floor(std::log10(amount)))));
}

std::string format_four(double amount) {
  constexpr double kMost = 999.95;  // what would be rounded to five digits
  const auto [rest, unit] = scale(amount, 1000, kMost, kThousands.size());
  // As it will be rounded: 0.99999 has a digit before the point.
  const double shown = std::abs(rest) * (1 + 5e-5);
  const int before = rest == 0 ? 1 : 1 + static_cast<int>(std::floor(std::log10(shown)));
  return format_fixed(rest, std::max(0, 4 - before)) + kThousands[unit];
}

std::string format_percent(double fraction) {
  return format_fixed(100 * fraction, 1) + "%";
}

std::string format_signed_bytes(int64_t bytes) {
  return (bytes >= 0 ? "+" : "") + format_bytes(bytes);
}

std::string format_signed_percent(double fraction) {
  return (fraction >= 0 ? "+" : "") + format_percent(fraction);
}

std::string format_kg(double kg) {
  return kg < 1000 ? concat(format_count(kg), " kg") : concat(format_count(kg / 1000), " t");
}

std::string format_days(double days) {
  constexpr double kHours = 24, kMinutes = 24 * 60;
  if (days >= 1) return format_fixed(days, 1) + " days";
  if (days * kHours >= 1) return format_fixed(days * kHours, 1) + " hours";
  return format_fixed(days * kMinutes, 1) + " minutes";
}

std::string format_day_number(double days) {
  if (days >= 1 || days <= 0) return format_fixed(days, 1);
  return format_fixed(days, 1 - static_cast<int>(std::floor(std::log10(days))));
}

std::string format_counted(int64_t count, std::string_view noun) {
  return concat(format_grouped(count), " ", noun, count == 1 ? "" : "s");
}

double parse_count(const std::string& text, std::string_view units, double step) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  const std::string_view unit = end;
  if (end == text.c_str()) return std::nan("");
  if (unit.empty()) return value;
  if (unit.size() != 1) return std::nan("");
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  for (const char one : units) {
    value *= step;
    if (lower(one) == lower(unit[0])) return value;
  }
  return std::nan("");
}

std::string format_grouped(int64_t count) {
  std::string digits = std::to_string(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

}  // namespace argosy
