// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/tokenizer_folder.h"

#include <array>
#include <nlohmann/json.hpp>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "trainer/tokenizer/json_values.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRules = "tokenizer.json";
constexpr const char* kVocab = "vocab.json";
constexpr const char* kMerges = "merges.txt";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kTemplate = "chat_template.jinja";
constexpr const char* kSpecials = "special_tokens_map.json";
constexpr std::array<const char*, 4> kSpecialNames = {"bos_token", "eos_token", "pad_token",
                                                      "unk_token"};

json json_of(const fs::path& path) {
  return parse_json_text(read_text_file(path), path.string());
}

TokenizerRules rules_of(const fs::path& folder) {
  if (fs::exists(folder / kRules)) {
    return parse_tokenizer_json(read_text_file(folder / kRules), (folder / kRules).string());
  }
  return parse_vocab_and_merges(read_text_file(folder / kVocab), read_text_file(folder / kMerges),
                                folder.string());
}

// "</s>", or {"content": "</s>", ...}.
std::string special_text(const JsonPlace& place, const std::string& name) {
  const JsonPlace token = place.at(name);
  return token.value->is_object() ? text_of(token, "content") : text_of(place, name);
}

void read_specials(const JsonPlace& config, TokenizerFolder& read) {
  for (const char* name : kSpecialNames) {
    if (config.contains(name)) read.specials.emplace(name, special_text(config, name));
  }
}

// A template, or a list of them by their names, of which the one called default is meant.
std::string template_of(const JsonPlace& config) {
  if (!config.contains("chat_template")) return "";
  if (config.at("chat_template").value->is_string()) return text_of(config, "chat_template");
  for (const JsonPlace& item : items_of(config, "chat_template")) {
    if (text_of(item, "name") == "default") return text_of(item, "template");
  }
  return "";
}

// The token that a text gets at its end by the model's configuration; -1 if it does not say.
int32_t end_of_model(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!fs::exists(path)) return -1;
  const std::vector<int32_t> ends = end_tokens_of_config(read_text_file(path), path.string());
  return ends.empty() ? -1 : ends.front();
}

// Llama's tokenizers put tokens around a text by their configuration, whatever their tokenizer.json
// says (transformers, LlamaTokenizerFast.update_post_processor).
void surround_as_llama(const JsonPlace& config, const TokenizerFolder& read,
                       TokenizerRules& rules) {
  if (!text_of(config, "tokenizer_class", "").starts_with("LlamaTokenizer")) return;
  const auto tokens_of = [&](const char* name) {
    const auto text = read.specials.find(name);
    return text == read.specials.end() ? std::vector<int32_t>()
                                       : std::vector<int32_t>{id_of(rules, text->second)};
  };
  rules.prefix = rules.suffix = {};
  if (flag_of(config, "add_bos_token", true)) rules.prefix = tokens_of("bos_token");
  if (flag_of(config, "add_eos_token", false)) rules.suffix = tokens_of("eos_token");
}

void check_specials(const TokenizerFolder& read) {
  for (const auto& [name, text] : read.specials) {
    if (read.tokenizer.id_of(text) >= 0) continue;
    throw ConfigError(concat((read.folder / kConfig).string(), ": ", name, " is `", text,
                             "`, which is no token of the tokenizer beside it"));
  }
}

}  // namespace

std::vector<fs::path> tokenizer_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* name : {kRules, kVocab, kMerges, kConfig, kSpecials, kTemplate}) {
    if (fs::is_regular_file(folder / name)) files.push_back(folder / name);
  }
  return files;
}

bool has_tokenizer(const fs::path& folder) {
  return fs::is_regular_file(folder / kRules) ||
         (fs::is_regular_file(folder / kVocab) && fs::is_regular_file(folder / kMerges));
}

fs::path tokenizer_folder(const fs::path& path) {
  fs::path folder = path.filename() == kRules ? path.parent_path() : path;
  if (!has_tokenizer(folder)) {
    throw ConfigError(concat("tokenizer ", path,
                             ": no tokenizer.json, nor vocab.json and merges.txt",
                             fs::exists(folder / "tokenizer.model")
                                 ? "; tokenizer.model is not supported: transformers' "
                                   "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) "
                                   "writes a tokenizer.json"
                                 : ""));
  }
  return folder;
}

std::vector<int32_t> end_tokens_of_config(std::string_view config_json, const std::string& where) {
  constexpr const char* kKey = "eos_token_id";
  const json config = parse_json_text(config_json, where);
  const JsonPlace root{&config, where, ""};
  if (!root.contains(kKey)) return {};
  if (!root.at(kKey).value->is_array()) return {whole_of(root, kKey)};
  std::vector<int32_t> ends;
  for (const JsonPlace& id : items_of(root, kKey)) ends.push_back(whole_number(id));
  return ends;
}

TokenizerFolder read_tokenizer(const fs::path& path) {
  TokenizerFolder read;
  read.folder = tokenizer_folder(path);
  TokenizerRules rules = rules_of(read.folder);
  const json none = json::object();
  const auto json_beside = [&](const char* name) {
    return fs::exists(read.folder / name) ? json_of(read.folder / name) : none;
  };
  const json config = json_beside(kConfig), specials = json_beside(kSpecials);
  const JsonPlace place{&config, (read.folder / kConfig).string(), ""};
  read_specials(place, read);
  read_specials({&specials, (read.folder / kSpecials).string(), ""}, read);
  read.chat_template = template_of(place);
  surround_as_llama(place, read, rules);
  read.tokenizer = Tokenizer(std::move(rules));
  if (fs::exists(read.folder / kTemplate))
    read.chat_template = read_text_file(read.folder / kTemplate);
  check_specials(read);
  const auto end = read.specials.find("eos_token");
  read.end_of_text =
      end == read.specials.end() ? end_of_model(read.folder) : read.tokenizer.id_of(end->second);
  return read;
}

}  // namespace argosy
