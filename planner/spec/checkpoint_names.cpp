// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/checkpoint_names.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr std::string_view kStepPrefix = "step_";
constexpr std::string_view kCheckpointsFolder = "checkpoints";
constexpr size_t kStepDigits = 8;  // at least; zeros in front

// From the root, without "." and a slash at the end.
std::filesystem::path whole_path(const std::filesystem::path& path) {
  return (std::filesystem::absolute(path) / "").lexically_normal().parent_path();
}

// As it was written, if its parent was.
std::filesystem::path parent_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : whole_path(path).parent_path();
}

}  // namespace

std::filesystem::path checkpoint_path(const std::filesystem::path& checkpoints_dir, int64_t step) {
  CHECK(step >= 0, "step ", step);
  std::string digits = std::to_string(step);
  if (digits.size() < kStepDigits) digits.insert(0, kStepDigits - digits.size(), '0');
  return checkpoints_dir / concat(kStepPrefix, digits);
}

std::optional<int64_t> step_of_checkpoint_name(std::string_view name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  name.remove_prefix(kStepPrefix.size());
  int64_t step = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), step);
  const bool whole = code == std::errc{} && end == name.data() + name.size();
  if (!whole || name.size() < kStepDigits || name[0] == '-') return std::nullopt;
  return step;
}

std::vector<int64_t> list_checkpoints(const std::filesystem::path& checkpoints_dir) {
  std::vector<int64_t> steps;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints_dir, code)) {
    const auto step = step_of_checkpoint_name(entry.path().filename().string());
    if (step && entry.is_directory(code)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::filesystem::path tokenizer_path(const std::filesystem::path& run_dir) {
  return run_dir / "tokenizer";
}

std::filesystem::path run_of(const std::filesystem::path& path) {
  std::filesystem::path run_dir = (path / "").parent_path();
  if (step_of_checkpoint_name(whole_path(run_dir).filename().string()))
    run_dir = parent_of(run_dir);
  if (whole_path(run_dir).filename() == kCheckpointsFolder) run_dir = parent_of(run_dir);
  return run_dir;
}

std::optional<std::filesystem::path> tokenizer_of_run(const std::filesystem::path& path) {
  const std::filesystem::path tokenizer = tokenizer_path(run_of(path));
  return std::filesystem::is_directory(tokenizer) ? std::optional(tokenizer) : std::nullopt;
}

}  // namespace argosy
