// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_tokenizer.h"

#include <cmath>
#include <system_error>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/checkpoint_names.h"

namespace argosy {

namespace fs = std::filesystem;

fs::path find_tokenizer(const TrainOptions& options) {
  if (options.tokenizer == "bytes") return {};
  if (!options.tokenizer.empty()) {
    return naming("--tokenizer", [&] { return tokenizer_folder(options.tokenizer); });
  }
  // A new run does not ask what an older one has left in its folder.
  const bool goes_on = options.mode == TrainMode::generate || options.resume != "none";
  for (const fs::path& weights : {options.init, goes_on ? options.run_dir : fs::path()}) {
    if (weights.empty()) continue;
    if (has_tokenizer(weights)) return weights;
    if (const auto folder = tokenizer_of_run(weights)) return *folder;
  }
  return {};
}

TokenizerFolder read_found_tokenizer(const TrainOptions& options, const fs::path& folder) {
  TokenizerFolder tokenizer;
  if (!folder.empty()) tokenizer = read_tokenizer(folder);
  if (options.end_of_text >= 0) tokenizer.end_of_text = static_cast<int32_t>(options.end_of_text);
  return tokenizer;
}

void keep_tokenizer(const fs::path& folder, const fs::path& run_dir) {
  const fs::path kept = tokenizer_path(run_dir);
  std::error_code error;
  if (!folder.empty() && fs::equivalent(folder, kept, error)) return;
  try {
    fs::remove_all(kept);
    if (folder.empty()) return;
    fs::create_directories(kept);
    for (const fs::path& file : tokenizer_files(folder))
      fs::copy_file(file, kept / file.filename());
  } catch (const fs::filesystem_error& failure) {
    throw Error(concat("copying the tokenizer: ", failure.what()));
  }
}

std::string describe_data(const fs::path& path, const TokenSource& source,
                          const TokenizerFolder& tokenizer) {
  const int64_t num_targets = source.num_targets();
  std::string text = concat("data     ", path.string(), ", ",
                            format_count(static_cast<double>(source.num_tokens())), " tokens");
  if (num_targets < source.num_tokens()) {
    text += concat(", ",
                   std::lround(100.0 * static_cast<double>(num_targets) /
                               static_cast<double>(source.num_tokens())),
                   "% of them learned");
  }
  if (!source.is_text()) return text;
  if (tokenizer.folder.empty()) return text + "; bytes";
  return concat(text, "; tokenizer ", tokenizer.folder.string(), ", ",
                format_grouped(tokenizer.tokenizer.num_tokens()), " tokens");
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
