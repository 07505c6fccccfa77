// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cctype>

#include "planner/spec/check.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

std::string pcre2_error(int code) {
  std::array<PCRE2_UCHAR, 256> message = {};
  pcre2_get_error_message(code, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
using CodePointer = std::unique_ptr<pcre2_code, FreeCode>;
using MatchPointer = std::unique_ptr<pcre2_match_data, FreeMatch>;

CodePointer compile(const std::string& expression, uint32_t options, const std::string& where) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  CodePointer compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()),
                                     expression.size(), options, &code, &offset, nullptr));
  if (!compiled) {
    throw ConfigError(concat(where, ": PCRE2 cannot read the expression `", expression,
                             "`: ", pcre2_error(code), " at byte ", offset));
  }
  // Without a compiler for this processor PCRE2 interprets: slower, the same matches.
  pcre2_jit_compile(compiled.get(), PCRE2_JIT_COMPLETE);
  return compiled;
}

}  // namespace

struct Pattern::Code {
  CodePointer compiled;
};

Pattern::Pattern(const std::string& expression, const std::string& where)
    : code_(std::make_shared<Code>(
          Code{compile(expression, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, where)})) {}

Pattern Pattern::literal(const std::string& text, const std::string& where) {
  std::string quoted;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t bytes = first_character_bytes(rest);
    const bool is_special = bytes == 1 && std::ispunct(static_cast<unsigned char>(rest[0])) != 0;
    if (is_special) quoted += '\\';
    quoted += rest.substr(0, bytes);
    rest.remove_prefix(bytes);
  }
  return {quoted, where};
}

std::vector<TextRange> Pattern::find_all(std::string_view text) const {
  const MatchPointer match(pcre2_match_data_create(1, nullptr));
  CHECK(match != nullptr, "pcre2_match_data_create: out of memory");
  std::vector<TextRange> found;
  for (size_t from = 0; from < text.size(); from = found.back().end) {
    const int count =
        pcre2_match(code_->compiled.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                    from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), nullptr);
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) {
      throw Error(concat("pcre2_match: ", pcre2_error(count), " (", count, ") in a text of ",
                         text.size(), " bytes, from byte ", from));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
    found.push_back({ends[0], ends[1]});
  }
  return found;
}

}  // namespace argosy
