// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What programs must know of the machine that they run on.
#pragma once

#include <filesystem>
#include <string>

namespace argosy {

// The folder of the running program, symbolic links resolved.
std::filesystem::path program_folder();

bool is_root();

// The model of its processor as Linux names it ("AMD EPYC 9555 64-Core Processor"); "unknown"
// where it does not.
std::string cpu_model();

// As the system knows it, in a network or not; "unknown" where it does not.
std::string host_name();

// "2026-11-28", UTC.
std::string utc_date();

}  // namespace argosy
