// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The table of what a checkpoint holds.
#include <algorithm>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/checkpoint.h"
#include "checkpoint/commands.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

using nlohmann::json;

int64_t stored_bytes(const StoredTensor& tensor) {
  return tensor.rows * tensor.cols * size_in_bytes(tensor.dtype);
}

// The layout in the plan's own words; nothing here depends on the rest of the plan.
std::string layout_of(const std::string& plan_json) {
  const json plan = json::parse(plan_json, nullptr, /*allow_exceptions=*/false);
  if (!plan.is_object() || !plan.contains("mesh") || !plan["mesh"].is_object()) return "unknown";
  std::string text;
  for (const auto& [key, value] : plan["mesh"].items()) text += key + "=" + value.dump() + " ";
  for (const char* key : {"zero_stage", "precision", "task"}) {
    if (plan.contains(key)) text += concat(key, "=", plan[key].dump(), " ");
  }
  std::erase(text, '"');
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

struct KindTotal {
  int64_t tensors = 0, elements = 0, bytes = 0;
};

std::map<std::string, KindTotal> totals_by_kind(const Manifest& manifest) {
  std::map<std::string, KindTotal> totals;
  for (const StoredTensor& tensor : manifest.tensors) {
    KindTotal& total = totals[tensor.kind];
    ++total.tensors;
    total.elements += tensor.rows * tensor.cols;
    total.bytes += stored_bytes(tensor);
  }
  return totals;
}

std::vector<StoredTensor> by_name(const Manifest& manifest) {
  std::vector<StoredTensor> tensors = manifest.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return full_name(a) < full_name(b);
  });
  return tensors;
}

void print_table(const Manifest& manifest, std::ostream& out) {
  size_t width = 6;
  for (const StoredTensor& tensor : manifest.tensors) {
    width = std::max(width, full_name(tensor).size());
  }
  const int name_width = static_cast<int>(width);
  out << std::left << std::setw(name_width) << "tensor" << std::right << std::setw(20) << "shape"
      << std::setw(7) << "dtype" << std::setw(15) << "bytes" << std::setw(9) << "extents"
      << "\n";
  for (const StoredTensor& tensor : by_name(manifest)) {
    out << std::left << std::setw(name_width) << full_name(tensor) << std::right << std::setw(20)
        << concat("(", tensor.rows, ", ", tensor.cols, ")") << std::setw(7)
        << to_string(tensor.dtype) << std::setw(15) << stored_bytes(tensor) << std::setw(9)
        << tensor.extents.size() << "\n";
  }
}

void print_json(const Manifest& manifest, const std::string& where, std::ostream& out) {
  json document = {{"checkpoint", where},
                   {"format_version", manifest.format_version},
                   {"step", manifest.step},
                   {"state", manifest.state}};
  document["plan"] = json::parse(manifest.plan_json, nullptr, /*allow_exceptions=*/false);
  if (document["plan"].is_discarded()) document["plan"] = nullptr;
  document["shards"] = json::array();
  for (const StoredShard& shard : manifest.shards) {
    document["shards"].push_back({{"file", shard.file}, {"bytes", shard.bytes}});
  }
  document["tensors"] = json::array();
  for (const StoredTensor& tensor : by_name(manifest)) {
    document["tensors"].push_back({{"name", tensor.name},
                                   {"kind", tensor.kind},
                                   {"shape", {tensor.rows, tensor.cols}},
                                   {"dtype", to_string(tensor.dtype)},
                                   {"bytes", stored_bytes(tensor)},
                                   {"extents", tensor.extents.size()}});
  }
  out << document.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
}

}  // namespace

int inspect_checkpoint(const std::filesystem::path& checkpoint_dir, bool as_json,
                       std::ostream& out) {
  const Manifest manifest = read_manifest(checkpoint_dir);
  if (as_json) {
    print_json(manifest, checkpoint_dir.string(), out);
    return kExitDone;
  }
  out << "checkpoint  " << checkpoint_dir.string() << "\nstep        " << manifest.step
      << "\nwritten by  " << layout_of(manifest.plan_json) << "\nshards      "
      << manifest.shards.size() << "\n";
  for (const auto& [key, value] : manifest.state)
    out << "state       " << key << " = " << value << "\n";
  for (const auto& [kind, total] : totals_by_kind(manifest)) {
    out << "kind        " << kind << ": " << total.tensors << " tensors, " << total.elements
        << " elements, " << total.bytes << " bytes\n";
  }
  out << "\n";
  print_table(manifest, out);
  return kExitDone;
}

}  // namespace argosy
