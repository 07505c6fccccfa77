// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The table of what a checkpoint holds.
#include <algorithm>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/checkpoint.h"
#include "checkpoint/commands.h"
#include "checkpoint/manifest_check.h"
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

constexpr size_t kColumns = 100;  // of a line, where words allow it

// Words in lines, each below the first word.
std::string in_lines(const std::string& label, const std::string& words) {
  std::string text = label, line = label;
  std::istringstream rest(words);
  for (std::string word; rest >> word;) {
    const bool is_first = line.size() == label.size();
    if (!is_first && line.size() + 1 + word.size() > kColumns) {
      line = std::string(label.size(), ' ');
      text += "\n" + line;
    } else if (!is_first) {
      line += " ";
      text += " ";
    }
    line += word;
    text += word;
  }
  return text;
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

bool is_of_optimizer(const StoredTensor& tensor) {
  return tensor.kind == "exp_avg" || tensor.kind == "exp_avg_sq" || tensor.kind == "master";
}

struct Row {
  std::string name, shape, dtype, bytes, extents;
};

constexpr size_t kGap = 2;  // between columns

// A name that leaves no room for the numbers has a line of its own.
void print_rows(const std::vector<Row>& rows, std::ostream& out) {
  Row width;  // texts of the widths that are needed
  for (const Row& row : rows) {
    const auto keep_longer = [](std::string& longest, const std::string& text) {
      if (text.size() > longest.size()) longest = text;
    };
    keep_longer(width.name, row.name);
    keep_longer(width.shape, row.shape);
    keep_longer(width.dtype, row.dtype);
    keep_longer(width.bytes, row.bytes);
    keep_longer(width.extents, row.extents);
  }
  const size_t numbers = width.shape.size() + width.dtype.size() + width.bytes.size() +
                         width.extents.size() + 4 * kGap;
  const size_t name_width = std::min(width.name.size(), kColumns - numbers);
  const auto number = [&](const std::string& text, const std::string& longest) {
    out << std::right << std::setw(static_cast<int>(longest.size() + kGap)) << text;
  };
  for (const Row& row : rows) {
    out << std::left << std::setw(static_cast<int>(name_width)) << row.name;
    if (row.name.size() > name_width) out << "\n" << std::string(name_width, ' ');
    number(row.shape, width.shape);
    number(row.dtype, width.dtype);
    number(row.bytes, width.bytes);
    number(row.extents, width.extents);
    out << "\n";
  }
}

void print_table(const Manifest& manifest, bool all_tensors, std::ostream& out) {
  std::vector<Row> rows = {{"tensor", "shape", "dtype", "bytes", "extents"}};
  int64_t num_hidden = 0, hidden_bytes = 0;
  for (const StoredTensor& tensor : by_name(manifest)) {
    if (!all_tensors && is_of_optimizer(tensor)) {
      ++num_hidden;
      hidden_bytes += stored_bytes(tensor);
      continue;
    }
    rows.push_back({full_name(tensor), concat("(", tensor.rows, ", ", tensor.cols, ")"),
                    std::string(to_string(tensor.dtype)), std::to_string(stored_bytes(tensor)),
                    std::to_string(tensor.extents.size())});
  }
  print_rows(rows, out);
  if (num_hidden > 0) {
    out << "and " << num_hidden << " tensors of the optimizer, " << hidden_bytes
        << " bytes; --all lists them\n";
  }
}

void print_json(const Manifest& manifest, const std::string& where,
                const std::vector<std::string>& problems, std::ostream& out) {
  json document = {{"checkpoint", where},
                   {"format_version", manifest.format_version},
                   {"step", manifest.step},
                   {"state", manifest.state},
                   {"problems", problems}};
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

int inspect_checkpoint(const std::filesystem::path& checkpoint_dir, const InspectStyle& style,
                       std::ostream& out) {
  const Manifest manifest = read_manifest(checkpoint_dir);
  const std::vector<std::string> problems = shard_file_problems(checkpoint_dir, manifest);
  const int exit_code = problems.empty() ? kExitDone : kExitFailure;
  if (style.as_json) {
    print_json(manifest, checkpoint_dir.string(), problems, out);
    return exit_code;
  }
  out << "checkpoint  " << checkpoint_dir.string() << "\nstep        " << manifest.step << "\n"
      << in_lines("written by  ", layout_of(manifest.plan_json)) << "\nshards      "
      << manifest.shards.size() << "\n";
  for (const std::string& problem : problems) out << "damaged     " << problem << "\n";
  for (const auto& [key, value] : manifest.state)
    out << "state       " << key << " = " << value << "\n";
  for (const auto& [kind, total] : totals_by_kind(manifest)) {
    out << "kind        " << kind << ": " << total.tensors << " tensors, " << total.elements
        << " elements, " << total.bytes << " bytes\n";
  }
  out << "\n";
  print_table(manifest, style.all_tensors, out);
  return exit_code;
}

}  // namespace argosy
