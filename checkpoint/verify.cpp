// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What can be said about a checkpoint without a model: is it whole, and what is in it.
#include <algorithm>

#include "checkpoint/checkpoint.h"
#include "checkpoint/directory.h"
#include "checkpoint/file_io.h"
#include "checkpoint/manifest_check.h"
#include "checkpoint/shard_reader.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// The tensors first, because their names say more than the file's.
void verify_shard(const std::filesystem::path& directory, const Manifest& manifest, size_t index,
                  std::vector<std::string>& problems) {
  const StoredShard& shard = manifest.shards[index];
  const size_t problems_before = problems.size();
  ShardReader reader(directory, manifest);
  for (const StoredTensor& tensor : manifest.tensors) {
    for (const Extent& extent : tensor.extents) {
      if (static_cast<size_t>(extent.shard) != index) continue;
      try {
        reader.read(tensor, extent, [](const Box&, const unsigned char*) {});
      } catch (const Error& e) {
        problems.emplace_back(e.what());
      }
    }
  }
  if (problems.size() != problems_before) return;
  const File file = File::open_for_reading(directory / shard.file);
  const uint32_t crc = crc32c_of_file(file, shard.bytes);
  if (crc != shard.crc32c) {
    problems.push_back(concat((directory / shard.file).string(),
                              ": damaged outside of the tensors, in HDF5's own structures: CRC-32C "
                              "of the file is ",
                              std::hex, crc, ", the manifest says ", shard.crc32c));
  }
}

}  // namespace

std::vector<std::string> verify_checkpoint(const std::filesystem::path& checkpoint_dir) {
  try {
    const Manifest manifest = read_manifest(checkpoint_dir);
    std::vector<std::string> problems = shard_file_problems(checkpoint_dir, manifest);
    if (!problems.empty()) return problems;
    for (size_t i = 0; i < manifest.shards.size(); ++i) {
      verify_shard(checkpoint_dir, manifest, i, problems);
    }
    return problems;
  } catch (const std::exception& e) {
    return {e.what()};
  }
}

namespace {

// Of manifest and shard sizes; empty: none.
std::string problem_of_files(const std::filesystem::path& checkpoints_dir, int64_t step) {
  const std::filesystem::path directory = checkpoint_path(checkpoints_dir, step);
  try {
    const Manifest manifest = read_manifest(directory);
    if (manifest.step != step)
      return concat(directory.string(), ": the manifest says step ", manifest.step);
    const std::vector<std::string> problems = shard_file_problems(directory, manifest);
    return problems.empty() ? "" : problems.front();
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

std::optional<int64_t> newest_valid_checkpoint(const std::filesystem::path& checkpoints_dir,
                                               std::vector<std::string>* skipped, int64_t before) {
  std::vector<int64_t> steps = list_checkpoints(checkpoints_dir);
  std::reverse(steps.begin(), steps.end());
  for (const int64_t step : steps) {
    if (step >= before) continue;
    const std::string problem = problem_of_files(checkpoints_dir, step);
    if (problem.empty()) return step;
    if (skipped != nullptr) skipped->push_back(problem);
  }
  return std::nullopt;
}

std::vector<int64_t> remove_older_checkpoints(const std::filesystem::path& checkpoints_dir,
                                              int64_t newest, int64_t keep) {
  CHECK(keep >= 1, "keep ", keep, " checkpoints");
  std::vector<int64_t> steps = list_checkpoints(checkpoints_dir);
  std::reverse(steps.begin(), steps.end());
  std::vector<int64_t> removed;
  int64_t num_kept = 1;  // the newest
  for (const int64_t step : steps) {
    if (step >= newest || !problem_of_files(checkpoints_dir, step).empty()) continue;
    if (++num_kept <= keep) continue;
    remove_checkpoint(checkpoints_dir, step);
    removed.push_back(step);
  }
  return removed;
}

}  // namespace argosy
