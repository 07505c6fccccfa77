// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/manifest_check.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "checkpoint/coverage.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// "shard_" and digits and ".h5": a name that cannot point out of the folder.
bool is_shard_name(std::string_view name) {
  constexpr std::string_view prefix = "shard_", suffix = ".h5";
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix)) {
    return false;
  }
  name = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

void check_shards(const Manifest& manifest) {
  std::set<std::string> files;
  for (const StoredShard& shard : manifest.shards) {
    if (!is_shard_name(shard.file)) throw Error(concat("'", shard.file, "' is no shard's name"));
    if (!files.insert(shard.file).second) throw Error(concat(shard.file, " is listed twice"));
  }
}

// Shape and bytes fit into int64; everything below may then multiply without care.
void check_shape(const StoredTensor& tensor) {
  int64_t elements = 0, bytes = 0;
  if (tensor.rows < 1 || tensor.cols < 1 ||
      __builtin_mul_overflow(tensor.rows, tensor.cols, &elements) ||
      __builtin_mul_overflow(elements, size_in_bytes(tensor.dtype), &bytes)) {
    throw Error(
        concat(full_name(tensor), ": impossible shape (", tensor.rows, ", ", tensor.cols, ")"));
  }
}

bool is_inside(Range part, int64_t size) {
  return part.begin >= 0 && part.begin < part.end && part.end <= size;
}

void check_extent(const Manifest& manifest, const StoredTensor& tensor, const Extent& extent) {
  const std::string name = concat(full_name(tensor), " ", to_string(extent.box));
  if (!is_inside(extent.box.rows, tensor.rows) || !is_inside(extent.box.cols, tensor.cols)) {
    throw Error(concat(name, ": not a rectangle of a tensor of shape (", tensor.rows, ", ",
                       tensor.cols, ")"));
  }
  const int64_t bytes = extent.box.size() * size_in_bytes(tensor.dtype);
  if (extent.bytes != bytes) {
    throw Error(concat(name, ": ", extent.bytes, " bytes stored, ", bytes, " are needed"));
  }
  if (extent.shard < 0 || static_cast<size_t>(extent.shard) >= manifest.shards.size()) {
    throw Error(concat(name, ": in shard ", extent.shard, " of ", manifest.shards.size()));
  }
  const StoredShard& shard = manifest.shards[static_cast<size_t>(extent.shard)];
  if (extent.offset < 0 || bytes > shard.bytes || extent.offset > shard.bytes - bytes) {
    throw Error(concat(name, ": bytes from ", extent.offset, " on, ", bytes,
                       " of them, are outside of ", shard.file, " of ", shard.bytes, " bytes"));
  }
}

// Two extents on the same bytes of a file would be one tensor's data read as another's.
void check_file_overlap(const Manifest& manifest) {
  struct Span {
    int shard;
    int64_t begin, end;
    const StoredTensor* tensor;
  };
  std::vector<Span> spans;
  for (const StoredTensor& tensor : manifest.tensors) {
    for (const Extent& e : tensor.extents) {
      spans.push_back({e.shard, e.offset, e.offset + e.bytes, &tensor});
    }
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return std::pair(a.shard, a.begin) < std::pair(b.shard, b.begin);
  });
  for (size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].shard == spans[i - 1].shard && spans[i].begin < spans[i - 1].end) {
      throw Error(concat(
          full_name(*spans[i - 1].tensor), " and ", full_name(*spans[i].tensor), " share bytes of ",
          manifest.shards[static_cast<size_t>(spans[i].shard)].file, " at ", spans[i].begin));
    }
  }
}

void check_tensors(const Manifest& manifest) {
  std::set<std::string> names;
  for (const StoredTensor& tensor : manifest.tensors) {
    if (tensor.name.empty() || tensor.kind.empty()) throw Error("a tensor without name or kind");
    if (!names.insert(full_name(tensor)).second) {
      throw Error(concat(full_name(tensor), " is listed twice"));
    }
    check_shape(tensor);
    std::vector<Box> boxes;
    for (const Extent& extent : tensor.extents) {
      check_extent(manifest, tensor, extent);
      boxes.push_back(extent.box);
    }
    if (const auto flaw = coverage_flaw(tensor.rows, tensor.cols, boxes)) {
      throw Error(
          concat(full_name(tensor), " of shape (", tensor.rows, ", ", tensor.cols, "): ", *flaw));
    }
  }
}

}  // namespace

void check_manifest(const Manifest& manifest, const std::string& where) {
  try {
    check_shards(manifest);
    check_tensors(manifest);
    check_file_overlap(manifest);
  } catch (const Error& e) {
    throw Error(concat(where, ": ", e.what()));
  }
}

std::vector<std::string> shard_file_problems(const std::filesystem::path& checkpoint_dir,
                                             const Manifest& manifest) {
  std::vector<std::string> problems;
  std::set<std::string> expected = {kManifestFile};
  for (const StoredShard& shard : manifest.shards) {
    expected.insert(shard.file);
    const std::filesystem::path path = checkpoint_dir / shard.file;
    std::error_code code;
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, code));
    if (code) {
      problems.push_back(concat(path.string(), ": missing (", code.message(), ")"));
    } else if (bytes != shard.bytes) {
      problems.push_back(concat(path.string(), bytes < shard.bytes ? ": truncated: " : ": ", bytes,
                                " bytes, the manifest says ", shard.bytes));
    }
  }
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint_dir, code)) {
    const std::string file = entry.path().filename().string();
    if (is_shard_name(file) && expected.count(file) == 0) {
      problems.push_back(
          concat(entry.path().string(), ": a shard that the manifest does not list"));
    }
  }
  return problems;
}

}  // namespace argosy
