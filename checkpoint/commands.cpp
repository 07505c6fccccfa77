// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/commands.h"

#include <algorithm>
#include <cstdio>
#include <iomanip>
#include <map>
#include <regex>

#include "checkpoint/checkpoint.h"
#include "checkpoint/convert.h"
#include "checkpoint/difference.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

using Hashes = std::map<std::string, uint64_t>;

// The hashes that pass the filter; ConfigError for a broken expression or a kind that is not there.
Hashes filtered_hashes(const fs::path& checkpoint_dir, const TensorFilter& filter) {
  std::regex ignore;
  try {
    ignore = std::regex(filter.ignore);
  } catch (const std::regex_error& e) {
    throw ConfigError(
        concat("--ignore: '", filter.ignore, "' is not a regular expression: ", e.what()));
  }
  Hashes kept;
  for (const auto& [name, hash] : content_hashes(checkpoint_dir)) {
    if (!filter.kind.empty() && !name.starts_with(filter.kind + "/")) continue;
    if (!filter.ignore.empty() && std::regex_search(name, ignore)) continue;
    kept.emplace(name, hash);
  }
  if (kept.empty() && !filter.kind.empty()) {
    throw ConfigError(concat(checkpoint_dir.string(), ": no tensors of kind '", filter.kind,
                             "' to look at; argosy-checkpoint inspect lists what is there"));
  }
  return kept;
}

int64_t total_bytes(const Manifest& manifest) {
  int64_t bytes = 0;
  for (const StoredShard& shard : manifest.shards) bytes += shard.bytes;
  return bytes;
}

}  // namespace

fs::path find_checkpoint(const fs::path& path, std::string* note) {
  if (!fs::is_directory(path)) {
    throw ConfigError(concat(path.string(), ": no such folder; expected a checkpoint (step_N), a ",
                             "folder of checkpoints or a run folder"));
  }
  if (fs::exists(path / kManifestFile)) return path;
  for (const fs::path& folder : {path / "checkpoints", path}) {
    const std::vector<int64_t> steps = list_checkpoints(folder);
    if (steps.empty()) continue;
    fs::path newest = checkpoint_path(folder, steps.back());
    *note = concat("newest of ", steps.size(), " checkpoint", steps.size() > 1 ? "s" : "", ": ",
                   newest.string());
    return newest;
  }
  throw ConfigError(concat(path.string(), ": neither ", kManifestFile,
                           " nor a folder step_N in it or in its 'checkpoints'"));
}

int report_verification(const fs::path& checkpoint_dir, std::ostream& out) {
  const std::vector<std::string> problems = verify_checkpoint(checkpoint_dir);
  for (const std::string& problem : problems) out << "damaged: " << problem << "\n";
  if (!problems.empty()) return kExitFailure;
  const Manifest manifest = read_manifest(checkpoint_dir);
  out << "ok: " << manifest.tensors.size() << " tensors, " << manifest.shards.size() << " shards, "
      << total_bytes(manifest) << " bytes, every CRC-32C matches\n";
  return kExitDone;
}

int print_hashes(const fs::path& checkpoint_dir, const TensorFilter& filter, std::ostream& out) {
  for (const auto& [name, hash] : filtered_hashes(checkpoint_dir, filter)) {
    out << std::hex << std::setw(16) << std::setfill('0') << hash << "  " << name << "\n";
  }
  return kExitDone;
}

namespace {

// Tensors of two checkpoints, by "kind/name".
class Differences {
 public:
  Differences(const fs::path& a, const fs::path& b)
      : manifest_a_(read_manifest(a)),
        manifest_b_(read_manifest(b)),
        reader_a_(a, manifest_a_),
        reader_b_(b, manifest_b_) {}

  // "  abs 1.2e-03 rel 4.5e-02", the largest of both.
  std::string text(const std::string& name) {
    const StoredTensor &a = find(manifest_a_, name), &b = find(manifest_b_, name);
    if (a.rows != b.rows || a.cols != b.cols) {
      return concat("  (", a.rows, ", ", a.cols, ") and (", b.rows, ", ", b.cols, ")");
    }
    if (!can_convert(a.dtype, DType::fp64) || !can_convert(b.dtype, DType::fp64)) return "";
    const Difference largest = largest_difference(reader_a_, a, reader_b_, b);
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "  abs %.1e rel %.1e", largest.absolute,
                  largest.relative);
    return numbers + (a.dtype == b.dtype
                          ? std::string()
                          : concat(", ", to_string(a.dtype), " and ", to_string(b.dtype)));
  }

 private:
  static const StoredTensor& find(const Manifest& manifest, const std::string& name) {
    const auto found =
        std::find_if(manifest.tensors.begin(), manifest.tensors.end(),
                     [&](const StoredTensor& tensor) { return full_name(tensor) == name; });
    CHECK(found != manifest.tensors.end(), name);
    return *found;
  }

  Manifest manifest_a_, manifest_b_;
  ShardReader reader_a_, reader_b_;
};

}  // namespace

int compare_checkpoints(const fs::path& a, const fs::path& b, const TensorFilter& filter,
                        std::ostream& out) {
  const Hashes in_a = filtered_hashes(a, filter), in_b = filtered_hashes(b, filter);
  Differences differences(a, b);
  size_t num_equal = 0, num_different = 0;
  for (const auto& [name, hash] : in_a) {
    const auto other = in_b.find(name);
    if (other != in_b.end() && other->second == hash) {
      ++num_equal;
      continue;
    }
    ++num_different;
    if (other == in_b.end()) {
      out << "only in the first   " << name << "\n";
    } else {
      out << "differs             " << name << differences.text(name) << "\n";
    }
  }
  for (const auto& [name, hash] : in_b) {
    if (in_a.count(name) > 0) continue;
    ++num_different;
    out << "only in the second  " << name << "\n";
  }
  out << num_equal << " tensors equal to the bit, " << num_different << " not\n";
  return num_different == 0 ? kExitDone : kExitFailure;
}

}  // namespace argosy
