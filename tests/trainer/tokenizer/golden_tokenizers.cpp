// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/tokenizer/golden_tokenizers.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "trainer/tokenizer/utf8.h"

namespace argosy {

std::string golden_file(const std::string& name) {
  const std::string folder = std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/tokenizers/";
  std::ostringstream text;
  text << std::ifstream(folder + name + ".json", std::ios::binary).rdbuf();
  return text.str();
}

Tokenizer golden_tokenizer(const std::string& name) {
  return Tokenizer(parse_tokenizer_json(golden_file(name), name));
}

std::vector<GoldenCase> golden_cases(const std::string& name) {
  const nlohmann::json all = nlohmann::json::parse(golden_file("cases"));
  std::vector<GoldenCase> cases;
  for (const nlohmann::json& one : all.at(name)) {
    cases.push_back({.text = one.at("text"),
                     .ids = one.at("ids"),
                     .whole = one.at("whole"),
                     .decoded = one.at("decoded")});
  }
  return cases;
}

std::string with_replacements(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t valid = valid_utf8_bytes(bytes);
    text.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    text += encode_utf8(0xfffd);
    bytes.remove_prefix(1);
  }
  return text;
}

}  // namespace argosy
