// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Names and life of checkpoint folders.
//
//   step_00000100                          committed
//   step_00000100.tmp-HOST-PID-RANDOM      being written or removed, or left by a dead process
//   step_00000100.old-HOST-PID-RANDOM      being replaced, where folders cannot be exchanged
//   step_00000100.damaged                  set aside: --resume auto could not load it; never
//   removed
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace argosy {

// The folder into which rank 0 lets all ranks write. Removed on destruction unless committed.
class TemporaryFolder {
 public:
  // Creates step_NNNNNNNN.tmp-... in checkpoints_dir, which is created too if need be.
  TemporaryFolder(const std::filesystem::path& checkpoints_dir, int64_t step);
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

  // Gives the folder its final name, durably. An older folder of that name is exchanged in one step
  // and removed afterwards, so that at every moment one of the two has the name.
  void commit();

 private:
  std::filesystem::path path_;   // empty once committed
  std::filesystem::path final_;  // step_NNNNNNNN
  std::string suffix_;           // "HOST-PID-RANDOM"
};

// Removes a committed checkpoint, for good from its first instruction on: it is renamed to a
// temporary folder, then emptied. Throws Error.
void remove_checkpoint(const std::filesystem::path& checkpoints_dir, int64_t step);

// Removes what dead processes of this host left in checkpoints_dir; folders of other hosts and of
// living processes stay. A folder whose replacement was interrupted gets its name back.
void clean_up_after_dead_processes(const std::filesystem::path& checkpoints_dir);

}  // namespace argosy
