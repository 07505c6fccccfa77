// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "planner/spec/check.h"

namespace argosy {

namespace {

std::string in_unicode_form(const UnicodeForm& form, std::string_view text) {
  const bool is_ascii = std::all_of(text.begin(), text.end(),
                                    [](char c) { return static_cast<signed char>(c) >= 0; });
  if (is_ascii) return std::string(text);  // the same in every form
  const int options = UTF8PROC_STABLE | (form.composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                      (form.compatibility ? UTF8PROC_COMPAT : 0);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t bytes = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &mapped, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (bytes < 0) {
    throw Error(concat("utf8proc_map: ", utf8proc_errmsg(bytes), " (", bytes, ") in a text of ",
                       text.size(), " bytes"));
  }
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(bytes)};
}

struct Apply {
  std::string_view text;
  TextStart start;
  std::string operator()(const UnicodeForm& form) const { return in_unicode_form(form, text); }
  std::string operator()(const Prepend& step) const {
    const bool is_marked = start != TextStart::inside_text && !text.empty();
    return (is_marked ? step.prefix : std::string()) + std::string(text);
  }
  std::string operator()(const ReplaceAll& step) const { return replace_all(step, text); }
};

}  // namespace

std::string replace_all(const ReplaceAll& step, std::string_view text) {
  std::string replaced;
  size_t done = 0;
  for (const TextRange& match : step.pattern.find_all(text)) {
    replaced.append(text.substr(done, match.begin - done)).append(step.content);
    done = match.end;
  }
  return replaced.append(text.substr(done));
}

std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                      TextStart start) {
  std::string normal(text);
  for (const NormalizerStep& step : steps) normal = std::visit(Apply{normal, start}, step);
  return normal;
}

}  // namespace argosy
