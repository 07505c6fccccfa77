// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Variables of a shell script, and what words are once they are put in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// A variable that nobody sets stands in a value as a mark with its name, and what only a shell can
// find out ($(...), ${X##*/}) as one with its text, so that whoever needs the value can say why it
// is not there.
class ShellVariables {
 public:
  void set(const std::string& name, std::vector<std::string> values);
  // As NAME+=: to the end of a text, or more elements of an array.
  void append(const std::string& name, const std::vector<std::string>& values, bool is_array);
  void unset(const std::string& name) { values_.erase(name); }

  // The words that a raw one becomes: none, one, or several of an array or of a text with blanks.
  std::vector<std::string> fields(std::string_view raw) const;
  // The same where the shell does not part words: in assignments and tests.
  std::string text(std::string_view raw) const;
  // The same of a here-document, where quotes are letters.
  std::string document(std::string_view raw) const;

  const std::vector<std::string>* find(const std::string& name) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

bool is_unknown(std::string_view value);  // has a part that only a shell can find out
// Without the marks of variables that nobody sets; their names are added to `names`.
std::string without_unset(std::string_view value, std::vector<std::string>* names = nullptr);
std::string shown(std::string_view value);  // marks as $NAME and as the script has them

}  // namespace argosy
