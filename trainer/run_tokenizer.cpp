// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_tokenizer.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/checkpoint_names.h"
#include "planner/spec/files.h"
#include "trainer/chat/chat_template.h"

namespace argosy {

namespace fs = std::filesystem;

namespace {

// A letter, digit or underscore, as names of variables have them.
bool is_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Whether `name` stands somewhere in a template, not inside of another name.
bool mentions(const std::string& chat_template, const std::string& name) {
  for (size_t at = 0; (at = chat_template.find(name, at)) != std::string::npos; ++at) {
    const size_t end = at + name.size();
    const bool begins = at == 0 || !is_of_name(chat_template[at - 1]);
    if (begins && (end == chat_template.size() || !is_of_name(chat_template[end]))) return true;
  }
  return false;
}

// A template does not tell what it never looks at, which is most likely misspelled.
void take_variables(const TrainOptions& options, TokenizerFolder& tokenizer) {
  const bool is_chat = options.mode != TrainMode::generate || options.chat;
  if (options.chat_template_kwargs.empty() || !is_chat) return;
  const Json variables = parse_chat_variables(options.chat_template_kwargs);
  if (tokenizer.chat_template.empty()) return;  // a conversation will ask for one
  for (const auto& [name, value] : variables.items()) {
    if (mentions(tokenizer.chat_template, name)) continue;
    throw ConfigError(concat("`", name, "`: the chat template of ", tokenizer.folder.string(),
                             " has no such variable"));
  }
  tokenizer.chat_variables = options.chat_template_kwargs;
}

}  // namespace

fs::path find_tokenizer(const TrainOptions& options) {
  if (options.tokenizer == "bytes") return {};
  if (!options.tokenizer.empty()) {
    return naming("--tokenizer", [&] { return tokenizer_folder(options.tokenizer); });
  }
  // A new run does not ask what an older one has left in its folder.
  const bool is_asked = options.mode == TrainMode::generate;
  const bool goes_on = is_asked || options.resume != "none";
  for (const fs::path& weights : {options.init, goes_on ? options.run_dir : fs::path(),
                                  is_asked ? options.init_adapter : fs::path()}) {
    if (weights.empty()) continue;
    if (has_tokenizer(weights)) return weights;
    if (const auto folder = tokenizer_of_run(weights)) return *folder;
  }
  return {};
}

TokenizerFolder read_found_tokenizer(const TrainOptions& options, const fs::path& folder) {
  TokenizerFolder tokenizer;
  if (!folder.empty()) tokenizer = read_tokenizer(folder);
  naming("--chat-template-kwargs", [&] { take_variables(options, tokenizer); });
  if (options.end_of_text >= 0) tokenizer.end_of_text = static_cast<int32_t>(options.end_of_text);
  return tokenizer;
}

namespace {

// The same files with the same bytes.
bool holds_tokenizer_of(const fs::path& kept, const fs::path& folder) {
  const std::vector<fs::path> there = tokenizer_files(kept), here = tokenizer_files(folder);
  return std::equal(there.begin(), there.end(), here.begin(), here.end(),
                    [](const fs::path& a, const fs::path& b) {
                      return a.filename() == b.filename() && read_text_file(a) == read_text_file(b);
                    });
}

// tokenizer.1, tokenizer.2, ...: it may be somebody's own, in a folder that serves for runs too.
void set_aside(const fs::path& kept) {
  fs::path aside;
  for (int number = 1; aside.empty() || fs::exists(aside); ++number) {
    aside = concat(kept.string(), ".", number);
  }
  fs::rename(kept, aside);
}

}  // namespace

void keep_tokenizer(const fs::path& folder, const fs::path& run_dir) {
  const fs::path kept = tokenizer_path(run_dir);
  try {
    if (fs::exists(kept)) {
      if (!folder.empty() && holds_tokenizer_of(kept, folder)) return;
      set_aside(kept);
    }
    if (folder.empty()) return;
    fs::create_directories(kept);
    for (const fs::path& file : tokenizer_files(folder))
      fs::copy_file(file, kept / file.filename());
  } catch (const fs::filesystem_error& failure) {
    throw Error(concat("copying the tokenizer: ", failure.what()));
  }
}

std::string data_warning(const TokenSource& source, const TokenizerFolder& tokenizer,
                         int64_t vocab_size) {
  constexpr int64_t kManyTokens = 16 * int64_t{kByteVocabulary};  // no model of bytes has so many
  if (!source.is_text() || !tokenizer.tokenizer.is_of_bytes() || vocab_size < kManyTokens) {
    return "";
  }
  return concat("--data: text is read as bytes, ", kByteVocabulary, " of the model's ",
                format_grouped(vocab_size),
                " tokens: no tokenizer lies with the weights; valid: "
                "--tokenizer FOLDER, or --tokenizer bytes where that is meant");
}

}  // namespace argosy
