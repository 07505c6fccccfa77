// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/hostfile.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <sstream>

#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

int64_t parse_slots(const std::string& value, const std::string& where) {
  int64_t slots = 0;
  const char* end = value.data() + value.size();
  const auto [parsed, code] = std::from_chars(value.data(), end, slots);
  if (code != std::errc() || parsed != end || slots < 1) {
    throw ConfigError(concat(where, ": slots=", value, " must be a whole number, at least 1"));
  }
  return slots;
}

Host parse_line(const std::string& line, const std::string& where) {
  std::istringstream words(line);
  Host host;
  words >> host.name;
  for (std::string word; words >> word;) {
    constexpr std::string_view kSlots = "slots=", kMaxSlots = "max_slots=", kMaxDash = "max-slots=";
    if (word.starts_with(kSlots)) {
      host.slots = parse_slots(word.substr(kSlots.size()), where);
    } else if (!word.starts_with(kMaxSlots) && !word.starts_with(kMaxDash)) {
      throw ConfigError(concat(where, ": '", word, "' is not known; a line is 'name slots=N'"));
    }
  }
  if (host.slots == 0) {
    throw ConfigError(concat(where, ": host '", host.name,
                             "' has no slots=N, the number of ranks that it takes"));
  }
  return host;
}

}  // namespace

std::vector<Host> parse_hostfile(std::string_view text, const std::string& where) {
  std::vector<Host> hosts;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Host host = parse_line(line, concat(where, " line ", number));
    const auto known = std::find_if(hosts.begin(), hosts.end(),
                                    [&](const Host& other) { return other.name == host.name; });
    if (known == hosts.end()) {
      hosts.push_back(host);
    } else {
      known->slots += host.slots;
    }
  }
  if (hosts.empty()) throw ConfigError(concat(where, ": names no host; a line is 'name slots=N'"));
  return hosts;
}

std::vector<Host> read_hostfile(const std::filesystem::path& path) {
  return parse_hostfile(read_text_file(path), concat("--hostfile ", path.string()));
}

int64_t total_slots(const std::vector<Host>& hosts) {
  return std::accumulate(hosts.begin(), hosts.end(), int64_t{0},
                         [](int64_t sum, const Host& host) { return sum + host.slots; });
}

}  // namespace argosy
