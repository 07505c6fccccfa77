// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenize_command.h"

#include <ostream>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/files.h"
#include "trainer/data/token_files.h"
#include "trainer/run_setup.h"
#include "trainer/run_tokenizer.h"

namespace argosy {

int run_tokenize(const TrainOptions& options, Communicator& world, std::ostream& out) {
  require_one_rank(world, "--tokenize");
  if (!may_hold_text(options.data)) {
    throw ConfigError(concat("--data: ", options.data.string(),
                             ": no text to read; valid: .txt, .jsonl or .json"));
  }
  if (std::filesystem::exists(options.tokenize_out)) {
    throw ConfigError(
        concat("--tokenize: ", options.tokenize_out.string(), ": exists; valid: a new file"));
  }
  require_writable("--tokenize", options.tokenize_out);
  const std::filesystem::path folder = find_tokenizer(options);
  if (folder.empty() && options.tokenizer.empty()) {
    throw ConfigError("--tokenize: missing: --tokenizer FOLDER, or bytes");
  }
  const auto start = Clock::now();
  const TokenizerFolder tokenizer = read_found_tokenizer(options, folder);
  const int64_t num_ids = tokenizer.tokenizer.num_tokens();
  const auto source =
      naming("--data", [&] { return open_tokens(options.data, num_ids, tokenizer); });
  if (source->num_targets() < source->num_tokens()) {
    throw ConfigError(concat("--tokenize: ", source->num_tokens() - source->num_targets(), " of ",
                             source->num_tokens(), " tokens of ", options.data.string(),
                             " are not to be learned, and a .bin has no marks for that; valid: "
                             "train on ",
                             options.data.string(), " itself"));
  }
  write_bin(options.tokenize_out, *source, num_ids);
  const double seconds = seconds_since(start);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(options.data));
  out << options.tokenize_out.string() << ": " << format_counted(source->num_tokens(), "token")
      << " of " << (num_ids <= kMost16BitIds ? "16" : "32") << " bits from " << format_bytes(bytes)
      << " in " << format_seconds(seconds) << '\n';
  return kExitDone;
}

}  // namespace argosy
