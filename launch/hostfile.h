// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The machines of a job, in Open MPI's hostfile format: "name slots=N" a line, # comments. A name
// on two lines has the slots of both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct Host {
  std::string name;
  int64_t slots = 0;  // ranks that it takes
  bool operator==(const Host&) const = default;
};

// Throws ConfigError naming `where`, line and word. A line without slots= is an error: what Open
// MPI makes of it depends on the machine, and the ranks must be counted here.
std::vector<Host> parse_hostfile(std::string_view text, const std::string& where);
std::vector<Host> read_hostfile(const std::filesystem::path& path);

int64_t total_slots(const std::vector<Host>& hosts);

}  // namespace argosy
