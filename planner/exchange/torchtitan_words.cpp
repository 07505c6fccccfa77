// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/torchtitan_words.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "planner/exchange/shell_script.h"
#include "planner/exchange/toml.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr struct {
  ScheduleKind kind;
  const char* name;
} kSchedules[] = {{ScheduleKind::gpipe, "GPipe"},
                  {ScheduleKind::one_f_one_b, "1F1B"},
                  {ScheduleKind::interleaved, "Interleaved1F1B"},
                  {ScheduleKind::zb_v, "ZBVZeroBubble"}};

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return small;
}

// "--section.key", maybe with "=value".
bool is_setting(std::string_view word) {
  const size_t dot = word.find('.');
  if (!word.starts_with("--") || dot == std::string_view::npos) return false;
  const std::string_view section = word.substr(2, dot - 2);
  return !section.empty() && std::all_of(section.begin(), section.end(), [](unsigned char c) {
    return std::isalpha(c) != 0 || c == '_' || c == '-';
  });
}

// "--training.seq-len" -> {"training", "seq_len"}
std::vector<std::string> path_of(std::string_view flag) {
  std::vector<std::string> path = {""};
  for (const char c : flag.substr(2)) {
    if (c == '.') {
      path.emplace_back();
    } else {
      path.back() += c == '-' ? '_' : c;
    }
  }
  return path;
}

struct Setting {
  std::string flag;
  std::vector<std::string> values;
};

// What stands before the first one is of the launcher.
std::vector<Setting> settings_of(const std::vector<std::string>& words, const std::string& where) {
  std::vector<Setting> settings;
  for (const std::string& word : words) {
    if (is_setting(word)) {
      const size_t equals = word.find('=');
      Setting& setting = settings.emplace_back();
      setting.flag = word.substr(0, equals);
      if (equals != std::string::npos) setting.values.push_back(word.substr(equals + 1));
    } else if (!settings.empty()) {
      if (word.starts_with("--")) {
        throw ConfigError(
            concat(where, ": ", word, "; valid: torchtitan's flags as --training.seq_len=4096"));
      }
      // More arguments of the script, which nobody gives.
      if (word.starts_with('$') && !settings.back().values.empty()) continue;
      settings.back().values.push_back(word);
    }
  }
  return settings;
}

// tyro: --compile.enable and --compile.no-enable are booleans, several values a list.
void apply(const Setting& setting, Json& root) {
  std::vector<std::string> path = path_of(setting.flag);
  Json value = Json(true);
  if (setting.values.empty() && path.back().starts_with("no_")) {
    path.back() = path.back().substr(3);
    value = false;
  } else if (setting.values.size() == 1) {
    const std::string word = lower(setting.values.front());
    value = word == "true" || word == "false"
                ? Json(word == "true")
                : parse_json(json_of_word(setting.values.front()), setting.flag);
  } else if (!setting.values.empty()) {
    value = setting.values;
  }
  Json* object = &root;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    Json& inner = (*object)[path[i]];
    if (!inner.is_object()) inner = Json::object();
    object = &inner;
  }
  (*object)[path.back()] = std::move(value);
}

// That of the flags, else that of the environment; "": none is named.
std::string config_file_of(const ShellCommand& command, const std::vector<Setting>& settings,
                           const std::string& where) {
  std::string file;
  constexpr std::string_view kVariable = "CONFIG_FILE=";
  for (const std::string& word : command.launcher) {
    if (word.starts_with(kVariable)) file = word.substr(kVariable.size());
  }
  for (const Setting& setting : settings) {
    if (path_of(setting.flag) != std::vector<std::string>{"job", "config_file"}) continue;
    if (setting.values.size() != 1) {
      throw ConfigError(concat(where, ": ", setting.flag, "; valid: one file"));
    }
    file = setting.values.front();
  }
  return file;
}

// From where the planner is started, as torchtitan reads it.
std::string read_config_file(const std::string& file, const std::string& where) {
  try {
    return read_text_file(file);
  } catch (const ConfigError& error) {
    throw ConfigError(concat(where, ": ", error.what(),
                             "; valid: argosy-plan started in the folder that the path is from"));
  }
}

}  // namespace

std::string torchtitan_schedule(ScheduleKind kind) {
  for (const auto& schedule : kSchedules) {
    if (schedule.kind == kind) return schedule.name;
  }
  return "";
}

std::optional<ScheduleKind> schedule_of_torchtitan(std::string_view name) {
  for (const auto& schedule : kSchedules) {
    if (lower(schedule.name) == lower(name)) return schedule.kind;
  }
  return std::nullopt;
}

std::string torchtitan_schedule_names() {
  std::string names;
  for (const auto& schedule : kSchedules) {
    append_listed(names, schedule.name);
  }
  return names;
}

bool is_torchtitan_command(std::string_view text) {
  const auto has = [text](std::string_view part) { return text.find(part) != text.npos; };
  if (has("CONFIG_FILE=") && has("run_train.sh")) return true;
  for (size_t at = text.find("--"); at != std::string_view::npos; at = text.find("--", at + 2)) {
    const bool is_start = at == 0 || std::isspace(static_cast<unsigned char>(text[at - 1])) != 0;
    const std::string_view rest = text.substr(at);
    if (is_start && is_setting(rest.substr(0, rest.find_first_of("= \t\r\n")))) return true;
  }
  return false;
}

std::string read_torchtitan_setup(std::string_view text, const std::string& where) {
  if (!is_torchtitan_command(text) || where.ends_with(".toml")) return json_of_toml(text, where);
  const ShellCommand command = read_shell_command(text, where + ": ");
  const std::vector<Setting> settings = settings_of(command.words, where);
  Json root = Json::object();
  if (const std::string file = config_file_of(command, settings, where); !file.empty()) {
    const std::string in_file = concat(where, ": ", file);
    root = parse_json(json_of_toml(read_config_file(file, where), in_file), in_file);
  }
  for (const Setting& setting : settings) apply(setting, root);
  return root.dump();
}

}  // namespace argosy
