// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the launcher must know of the machine that it runs on.
#pragma once

#include <cstdint>
#include <filesystem>

namespace argosy {

// Physical cores that this process may use: its affinity mask, hyper-threads of a core counted
// once, as Open MPI counts when it binds ranks.
int64_t num_cores();

// The folder of the running program, symbolic links resolved.
std::filesystem::path program_folder();

bool is_root();

}  // namespace argosy
