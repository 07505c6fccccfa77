// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/directory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <random>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/file_io.h"
#include "planner/spec/check.h"
#include "planner/spec/host.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

std::string unique_suffix() {
  std::random_device random;
  return concat(host_name(), "-", ::getpid(), "-", std::hex, random());
}

// The final name of "step_N.tmp-HOST-PID-RANDOM" when HOST is this one and PID is dead. `marker`:
// ".tmp-" or ".old-".
std::optional<std::string> final_name_if_dead(const std::string& name, std::string_view marker) {
  const size_t at = name.find(marker);
  if (at == std::string::npos || !step_of_checkpoint_name(name.substr(0, at))) return std::nullopt;
  const size_t random_dash = name.rfind('-');
  const size_t pid_dash = name.rfind('-', random_dash - 1);
  const size_t host_begin = at + marker.size();
  if (pid_dash == std::string::npos || pid_dash <= host_begin) return std::nullopt;
  if (name.substr(host_begin, pid_dash - host_begin) != host_name()) return std::nullopt;
  pid_t pid = 0;
  const char* pid_end = name.data() + random_dash;
  const auto [end, code] = std::from_chars(name.data() + pid_dash + 1, pid_end, pid);
  if (code != std::errc{} || end != pid_end || pid <= 0) return std::nullopt;
  const bool dead = ::kill(pid, 0) != 0 && errno == ESRCH;
  return dead ? std::optional(name.substr(0, at)) : std::nullopt;
}

void rename_checked(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_system_error("rename", from, errno);
}

// True: the two folders have each other's name now. False: this file system cannot do that.
bool exchange(const fs::path& a, const fs::path& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) throw_system_error("renameat2", a, errno);
  return false;
}

}  // namespace

TemporaryFolder::TemporaryFolder(const fs::path& checkpoints_dir, int64_t step)
    : final_(checkpoint_path(checkpoints_dir, step)), suffix_(unique_suffix()) {
  std::error_code code;
  fs::create_directories(checkpoints_dir, code);
  if (code) throw_system_error("mkdir", checkpoints_dir, code.value());
  const fs::path path = concat(final_.string(), ".tmp-", suffix_);
  if (!fs::create_directory(path, code)) throw_system_error("mkdir", path, code.value());
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // what stays is removed by the next save
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void TemporaryFolder::commit() {
  sync_directory(path_);
  fs::path replaced;
  if (!fs::exists(final_)) {
    rename_checked(path_, final_);
  } else if (exchange(path_, final_)) {
    replaced = path_;
  } else {
    replaced = concat(final_.string(), ".old-", suffix_);
    rename_checked(final_, replaced);
    rename_checked(path_, final_);
  }
  path_.clear();
  sync_directory(final_.parent_path());
  std::error_code ignored;  // the new checkpoint is committed whatever happens to the old one
  if (!replaced.empty()) fs::remove_all(replaced, ignored);
}

void remove_checkpoint(const fs::path& checkpoints_dir, int64_t step) {
  const fs::path from = checkpoint_path(checkpoints_dir, step);
  const fs::path leaving = concat(from.string(), ".tmp-", unique_suffix());
  rename_checked(from, leaving);
  sync_directory(checkpoints_dir);
  std::error_code code;
  fs::remove_all(leaving, code);
  if (code) throw_system_error("remove", leaving, code.value());
}

fs::path set_checkpoint_aside(const fs::path& checkpoints_dir, int64_t step) {
  const fs::path from = checkpoint_path(checkpoints_dir, step);
  fs::path aside = concat(from.string(), ".damaged");
  for (int number = 2; fs::exists(aside); ++number) {
    aside = concat(from.string(), ".damaged-", number);
  }
  rename_checked(from, aside);
  sync_directory(checkpoints_dir);
  return aside;
}

void clean_up_after_dead_processes(const fs::path& checkpoints_dir) {
  std::error_code code;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(checkpoints_dir, code)) {
    entries.push_back(entry.path());
  }
  for (const fs::path& path : entries) {
    const std::string name = path.filename().string();
    if (const auto final_name = final_name_if_dead(name, ".old-")) {
      if (!fs::exists(checkpoints_dir / *final_name)) {
        rename_checked(path, checkpoints_dir / *final_name);
        continue;
      }
      fs::remove_all(path, code);
    } else if (final_name_if_dead(name, ".tmp-")) {
      fs::remove_all(path, code);
    }
  }
}

}  // namespace argosy
