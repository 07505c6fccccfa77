// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/machine.h"

#include <unistd.h>

namespace argosy {

std::filesystem::path program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

bool is_root() {
  return ::geteuid() == 0;
}

}  // namespace argosy
