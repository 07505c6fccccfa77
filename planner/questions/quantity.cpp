// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/quantity.h"

#include <cmath>
#include <string_view>
#include <utility>

namespace argosy {

namespace {

bool take_end(std::string& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.resize(text.size() - end.size());
  return true;
}

// "G" -> 1e9, "Gi" -> 2^30, "" (of "B/s") -> 1; NaN if it is no prefix.
double prefix_scale(std::string prefix) {
  if (prefix.empty()) return 1;
  const bool is_binary = take_end(prefix, "i");
  double scale = 1;
  for (const char* one : {"k", "M", "G", "T", "P"}) {
    scale *= is_binary ? 1024.0 : 1000.0;
    if (prefix == one || (prefix == "K" && *one == 'k')) return scale;
  }
  return std::nan("");
}

double seconds_of(const std::string& unit) {
  const std::pair<const char*, double> units[] = {
      {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  for (const auto& [name, seconds] : units) {
    if (unit == name) return seconds;
  }
  return std::nan("");
}

}  // namespace

double scale_of(Quantity quantity, std::string unit) {
  const bool is_bare = quantity == Quantity::usd_per_hour || quantity == Quantity::ratio ||
                       quantity == Quantity::kg_per_kwh;
  if (unit.empty() || is_bare) return unit.empty() && is_bare ? 1 : std::nan("");
  switch (quantity) {
    case Quantity::flops_per_s:
      if (!take_end(unit, "FLOP/s") && !take_end(unit, "FLOPS")) take_end(unit, "/s");
      return prefix_scale(unit);
    case Quantity::bytes:
      take_end(unit, "B");
      return prefix_scale(unit);
    case Quantity::bytes_per_s:
      for (const char* bits : {"bit/s", "b/s", "bps"}) {  // as networks are sold
        if (take_end(unit, bits)) return prefix_scale(unit) / 8;
      }
      take_end(unit, "/s");
      take_end(unit, "B");
      return prefix_scale(unit);
    case Quantity::seconds:
      return seconds_of(unit);
    case Quantity::hours:
      return seconds_of(unit) / seconds_of("h");
    case Quantity::watts:
      return take_end(unit, "W") ? prefix_scale(unit) : std::nan("");
    case Quantity::usd_per_hour:
    case Quantity::ratio:
    case Quantity::kg_per_kwh:
      break;
  }
  return std::nan("");
}

const char* example_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::flops_per_s:
      return "400TFLOP/s";
    case Quantity::bytes:
      return "141GB";
    case Quantity::bytes_per_s:
      return "50GB/s or 400Gb/s";
    case Quantity::seconds:
      return "5us or 3min";
    case Quantity::hours:
      return "50000h";
    case Quantity::watts:
      return "700W";
    case Quantity::usd_per_hour:
      return "2.5 (USD a device and hour)";
    case Quantity::ratio:
      return "1.1";
    case Quantity::kg_per_kwh:
      return "0.4 (kg CO2e a kWh)";
  }
  return "";
}

}  // namespace argosy
