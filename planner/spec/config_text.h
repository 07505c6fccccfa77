// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Files of options, one a line: what --config of the programs reads and run.cfg holds.
//
//   lr = 3e-4              # a comment
//   data = "run #7/text"   in double quotes '#' is a character, and \" \\ \n are ", \ and a new
//   line
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct ConfigOption {
  std::string key, value;
};

// In the order of the file; blank lines and comments are left out. Throws ConfigError naming
// `where`, the line and what would be valid.
std::vector<ConfigOption> parse_config_text(std::string_view text, std::string_view where);

// "key = value\n", quoted where parse_config_text would read another value otherwise.
std::string config_line(std::string_view key, std::string_view value);

}  // namespace argosy
