// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_variables.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "planner/exchange/shell_arithmetic.h"
#include "planner/exchange/shell_tokens.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr char kUnset = '\1', kUnknown = '\3', kEnd = '\2';
constexpr size_t kMostBytes = 1'000'000;  // of a value: a script that doubles it is no flood
constexpr int kMostDepth = 16;            // of brackets

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

std::string mark(char kind, std::string_view text) {
  return concat(kind, text, kEnd);
}

std::string join_words(const std::vector<std::string>& words) {
  std::string all;
  for (size_t i = 0; i < words.size(); ++i) all += concat(i > 0 ? " " : "", words[i]);
  return all;
}

class Expander {
 public:
  Expander(const ShellVariables& variables, bool splits, int depth)
      : variables_(variables), splits_(splits), depth_(depth) {}

  std::vector<std::string> fields(std::string_view raw, bool is_quoted = false) {
    add(raw, is_quoted);
    end_field();
    return std::move(fields_);
  }

 private:
  void add(std::string_view raw, bool is_quoted) {
    for (size_t at = 0; at < raw.size();) {
      const bool is_letter = is_quoted && (raw[at] == '\'' || raw[at] == '"');
      const size_t end = is_letter ? at + 1 : std::min(end_of_part(raw, at), raw.size());
      const size_t length = raw[at] == '$' ? parameter_length(raw, at, end) : end - at;
      add_part(raw.substr(at, length), is_quoted);
      at += length;
    }
  }

  // Of $NAME, $1 and the like; ${...} and $(...) are parts already.
  static size_t parameter_length(std::string_view raw, size_t at, size_t end) {
    if (end - at > 1 || at + 1 == raw.size()) return end - at;
    size_t name_end = at + 1;
    while (name_end < raw.size() && is_name_character(raw[name_end])) ++name_end;
    if (name_end > at + 1) return is_digit(raw[at + 1]) ? 2 : name_end - at;
    const bool is_special = std::string_view("@*#?$!-").find(raw[at + 1]) != std::string_view::npos;
    return is_special ? 2 : 1;
  }

  void add_part(std::string_view part, bool is_quoted) {
    const char c = part[0];
    if (c == '"' && !is_quoted && part.size() > 1) {
      has_field_ = true;
      add(part.substr(1, part.size() - 2), true);
    } else if (c == '\'' && !is_quoted && part.size() > 1) {
      has_field_ = true;
      field_ += part.substr(1, part.size() - 2);
    } else if (c == '\\') {
      add_escape(part, is_quoted);
    } else if (c == '`' && part.size() > 1) {
      add_values({mark(kUnknown, part)}, false, is_quoted);
    } else if (c == '$' && part.size() > 1) {
      add_parameter(part, is_quoted);
    } else {
      has_field_ = true;
      field_ += part;
    }
    require_size();
  }

  void add_escape(std::string_view part, bool is_quoted) {
    has_field_ = true;
    if (part.size() < 2 || part[1] == '\n') return;
    const bool is_kept =
        is_quoted && std::string_view("$`\"\\").find(part[1]) == std::string_view::npos;
    field_ += is_kept ? part : part.substr(1);
  }

  void add_parameter(std::string_view part, bool is_quoted) {
    if (part.starts_with("$((") && part.ends_with("))")) {
      const std::string inner = text_of(part.substr(3, part.size() - 5));
      const std::optional<int64_t> value = shell_arithmetic(inner, variables_);
      add_values({value ? std::to_string(*value) : mark(kUnknown, part)}, false, is_quoted);
    } else if (part.starts_with("$(")) {
      add_values({mark(kUnknown, part)}, false, is_quoted);
    } else if (part.starts_with("${")) {
      add_braces(part, is_quoted);
    } else {
      add_variable(std::string(part.substr(1)), false, is_quoted);
    }
  }

  // ${NAME}, ${NAME[@]}, ${NAME:-else} and the like.
  void add_braces(std::string_view part, bool is_quoted) {
    const std::string_view body = part.substr(2, part.size() - 3);
    size_t end = 0;
    while (end < body.size() && is_name_character(body[end])) ++end;
    if (end == 0 && body.size() == 1) ++end;  // ${@}
    const std::string name(body.substr(0, end));
    std::string_view rest = body.substr(end);
    const bool is_list = rest.starts_with("[@]") || rest.starts_with("[*]");
    if (is_list) rest.remove_prefix(3);
    const bool has_colon = rest.starts_with(':');
    const std::string_view op = rest.substr(has_colon ? 1 : 0);
    if (name.empty() || (!rest.empty() && (op.empty() || !is_default(op[0])))) {
      add_values({mark(kUnknown, part)}, false, is_quoted);
      return;
    }
    const std::vector<std::string>* values = variables_.find(name);
    const bool is_there =
        values != nullptr && (!has_colon || !without_unset(join_words(*values)).empty());
    if (rest.empty() || op[0] == '?' || (op[0] != '+' && is_there)) {
      add_variable(name, is_list, is_quoted);
    } else if (op[0] != '+' || is_there) {
      add_values(Expander(variables_, false, deeper()).fields(op.substr(1)), false, is_quoted);
    }
  }

  static bool is_default(char c) {
    return std::string_view("-=+?").find(c) != std::string_view::npos;
  }

  void add_variable(const std::string& name, bool is_list, bool is_quoted) {
    const std::vector<std::string>* values = variables_.find(name);
    if (values == nullptr) {
      const bool is_count = name == "#" || name == "?";  // of no arguments, after success
      add_values({is_count ? "0" : mark(kUnset, name)}, false, is_quoted);
    } else if (is_list) {
      add_values(*values, true, is_quoted);
    } else if (!values->empty()) {
      add_values({values->front()}, false, is_quoted);
    } else if (is_quoted) {
      has_field_ = true;
    }
  }

  // Elements of a list are words of their own; texts part at blanks where nothing quotes them.
  void add_values(const std::vector<std::string>& values, bool is_list, bool is_quoted) {
    if (!is_list && (is_quoted || !splits_)) has_field_ = true;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) splits_ ? end_field() : field_.push_back(' ');
      if (is_quoted || !splits_) {
        has_field_ = true;
        field_ += values[i];
      } else {
        add_split(values[i]);
      }
      require_size();
    }
  }

  void add_split(const std::string& value) {
    bool is_marked = false;
    for (const char c : value) {
      is_marked = c == kUnknown || (is_marked && c != kEnd);
      if (is_space(c) && !is_marked) {
        end_field();
      } else {
        has_field_ = true;
        field_ += c;
      }
    }
  }

  void end_field() {
    if (has_field_) fields_.push_back(field_);
    field_.clear();
    has_field_ = false;
  }

  std::string text_of(std::string_view raw) const {
    return join_words(Expander(variables_, false, deeper()).fields(raw));
  }
  int deeper() const {
    if (depth_ > kMostDepth) throw ConfigError("brackets in too many brackets; valid: fewer");
    return depth_ + 1;
  }
  void require_size() {
    bytes_ = std::max(bytes_, field_.size());
    if (bytes_ > kMostBytes || fields_.size() > kMostBytes) {
      throw ConfigError(concat("a word is too long; valid: at most ", kMostBytes, " characters"));
    }
  }

  const ShellVariables& variables_;
  bool splits_;
  int depth_;
  std::vector<std::string> fields_;
  std::string field_;
  bool has_field_ = false;
  size_t bytes_ = 0;
};

}  // namespace

void ShellVariables::set(const std::string& name, std::vector<std::string> values) {
  values_[name] = std::move(values);
}

void ShellVariables::append(const std::string& name, const std::vector<std::string>& values,
                            bool is_array) {
  std::vector<std::string>& old = values_[name];
  if (is_array) {
    old.insert(old.end(), values.begin(), values.end());
  } else if (old.empty()) {
    old = values;
  } else {
    old.front() += join_words(values);
  }
}

const std::vector<std::string>* ShellVariables::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string> ShellVariables::fields(std::string_view raw) const {
  return Expander(*this, true, 0).fields(raw);
}

std::string ShellVariables::text(std::string_view raw) const {
  return join_words(Expander(*this, false, 0).fields(raw));
}

std::string ShellVariables::document(std::string_view raw) const {
  return join_words(Expander(*this, false, 0).fields(raw, true));
}

bool is_unknown(std::string_view value) {
  return value.find(kUnknown) != std::string_view::npos;
}

std::string without_unset(std::string_view value, std::vector<std::string>* names) {
  std::string rest;
  for (size_t at = 0; at < value.size(); ++at) {
    if (value[at] != kUnset) {
      rest += value[at];
      continue;
    }
    const size_t end = std::min(value.find(kEnd, at), value.size());
    if (names != nullptr) names->emplace_back(value.substr(at + 1, end - at - 1));
    at = end;
  }
  return rest;
}

std::string shown(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == kUnset) text += '$';
    if (c != kUnset && c != kUnknown && c != kEnd) text += c;
  }
  return text;
}

}  // namespace argosy
