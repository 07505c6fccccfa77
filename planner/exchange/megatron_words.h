// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A command line of Megatron-LM as flags with their values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// Flags with their values: "--flag value value", "--flag=value"; the last of a repeated flag
// counts. Whoever reads a flag takes it out, so that what nobody knows is left over. Every error is
// a ConfigError naming the flag; import_megatron() puts in front where it stands. A value may be a
// variable that its script does not set ("$SAVE"), which is an error where the value is read; more
// of them than a flag has values are passed over.
class MegatronFlags {
 public:
  explicit MegatronFlags(const std::vector<std::string>& words);

  bool has(const std::string& flag) const { return find(flag) != nullptr; }
  bool take(const std::string& flag);  // was it there?
  // Takes those that are there, whatever they say, and lists them: "--a, --b".
  std::string take_all(std::initializer_list<const char*> flags);
  std::string text(const std::string& flag, const std::string& fallback);
  double number(const std::string& flag, double fallback);
  int64_t count(const std::string& flag, int64_t fallback);  // at least 1
  int64_t required(const std::string& flag);                 // a count
  std::vector<std::string> words(const std::string& flag);   // all of its values; empty: not there
  std::vector<int64_t> counts(const std::string& flag);      // the same, each at least 1
  std::vector<std::string> left() const;
  // The flag that this one may have been meant to be, of those that were asked for and those of
  // which weight_of() knows; empty: none is near.
  std::string meant(const std::string& flag) const;
  const std::vector<std::string>& passed_over() const { return passed_over_; }  // variables

 private:
  const std::vector<std::string>* find(const std::string& flag) const;  // null: not there

  std::map<std::string, std::vector<std::string>> flags_;
  mutable std::set<std::string> asked_;  // whether they are there or not
  std::vector<std::string> passed_over_;
};

// What a flag weighs that no reader takes.
enum class FlagWeight {
  none,          // it changes neither what is computed nor what is kept
  not_modelled,  // it acts on speed or bytes, and our model of cost does not tell it apart
  refused,       // it decides what cannot be priced
  unknown        // it must not be passed over
};
FlagWeight weight_of(const std::string& flag);

// The whole names among those that weight_of() goes by.
std::vector<std::string> weighed_flags();

// What one that is not modelled has smaller: "gradients of 2 bytes"; "": it saves no memory.
std::string saving_of(const std::string& flag);

// Throws ConfigError for a refused one, with the reason and what would do.
void refuse_known_flag(const std::string& flag);

// Throws ConfigError "WHAT cannot be priced; valid: VALID".
[[noreturn]] void refuse_flag(const std::string& what, const std::string& valid);

}  // namespace argosy
