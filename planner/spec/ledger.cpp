// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The ledger as a value: recorded into, printed, subtracted. ledger_predict.cpp fills one from a
// plan.
#include "planner/spec/ledger.h"

#include <utility>
#include <vector>

#include "planner/spec/check.h"

namespace argosy {

namespace {

using Line = std::pair<std::string, int64_t>;

std::string layer_name(int layer) {
  return concat("saved_bytes[", layer, "]");
}

std::string collective_name(const CollectiveKey& key) {
  return concat(to_string(key.kind), " over ", to_string(key.axis));
}

std::vector<Line> totals(const Ledger& ledger) {
  return {{"parameter_bytes", ledger.parameter_bytes},
          {"gradient_bytes", ledger.gradient_bytes},
          {"optimizer_bytes", ledger.optimizer_bytes},
          {"host_bytes", ledger.host_bytes},
          {"activation_peak_bytes", ledger.activation_peak_bytes},
          {"matmul_flops", ledger.matmul_flops}};
}

// Every count by name. A map, so that an entry of 0 and no entry at all compare equal.
std::map<std::string, int64_t> counts(const Ledger& ledger) {
  std::map<std::string, int64_t> result;
  for (const auto& [name, value] : totals(ledger)) result[name] = value;
  for (const auto& [layer, bytes] : ledger.saved_bytes) result[layer_name(layer)] = bytes;
  for (const auto& [key, total] : ledger.collectives) {
    result[collective_name(key) + ", count"] = total.count;
    result[collective_name(key) + ", bytes"] = total.bytes;
  }
  return result;
}

}  // namespace

std::string_view to_string(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::all_reduce:
      return "all_reduce";
    case CollectiveKind::reduce_scatter:
      return "reduce_scatter";
    case CollectiveKind::all_gather:
      return "all_gather";
    case CollectiveKind::all_to_all:
      return "all_to_all";
    case CollectiveKind::broadcast:
      return "broadcast";
    case CollectiveKind::send:
      return "send";
    case CollectiveKind::recv:
      return "recv";
  }
  return "?";
}

void Ledger::record(CollectiveKind kind, Axis axis, int64_t bytes) {
  CollectiveTotal& total = collectives[{kind, axis}];
  ++total.count;
  total.bytes += bytes;
}

std::string to_string(const Ledger& ledger) {
  std::string text;
  for (const auto& [name, value] : totals(ledger)) text += concat(name, " ", value, "\n");
  for (const auto& [layer, bytes] : ledger.saved_bytes) {
    text += concat(layer_name(layer), " ", bytes, "\n");
  }
  for (const auto& [key, total] : ledger.collectives) {
    text += concat(collective_name(key), ": ", total.count, " calls, ", total.bytes, " bytes\n");
  }
  return text;
}

std::string difference(const Ledger& expected, const Ledger& actual) {
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [name, value] : counts(expected)) both[name].first = value;
  for (const auto& [name, value] : counts(actual)) both[name].second = value;
  std::string text;
  for (const auto& [name, values] : both) {
    if (values.first == values.second) continue;
    text += concat(name, ": expected ", values.first, ", actual ", values.second, " (",
                   values.second > values.first ? "+" : "", values.second - values.first, ")\n");
  }
  return text;
}

}  // namespace argosy
