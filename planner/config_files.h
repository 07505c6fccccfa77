// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the files that options name are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace argosy {

// A path as given, else relative to the program, else a name in one of configs/<folders>, the first
// first. Throws ConfigError naming the option.
std::filesystem::path find_config(const char* option, const std::string& given,
                                  const std::vector<const char*>& folders);

// What --cluster names: a cluster, or an accelerator in the usual node around it.
std::filesystem::path find_cluster(const std::string& given);

// The file of an accelerator that a cluster's file names; `where`: its place there, for messages.
std::filesystem::path find_accelerator(const std::string& where, const std::string& given);

}  // namespace argosy
