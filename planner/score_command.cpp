// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan --score runs.csv.
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "planner/config_files.h"
#include "planner/options.h"
#include "planner/score/score.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

constexpr size_t kRowsPerMessage = 100;

}  // namespace

void print_score(const PlanOptions& options) {
  const std::filesystem::path any = find_config("score", "any.json", {"stacks"});
  const ScoreFiles files = read_score_files(any.parent_path().parent_path());
  const std::string& path = options.score;
  if (std::error_code error; !std::filesystem::exists(path, error)) {
    throw ConfigError(concat("--score: there is no file '", path,
                             "'; valid: a table of runs, as tests/golden/published_runs.csv"));
  }
  const CsvTable table = parse_csv(read_text_file(path), path);
  const bool is_watched = isatty(STDERR_FILENO) != 0;
  const Score score =
      score_runs(published_runs(table), files, [is_watched](size_t done, size_t all) {
        if (!is_watched || (done % kRowsPerMessage != 0 && done != all)) return;
        std::cerr << "\r" << done << " of " << all << " runs" << (done == all ? "\n" : "");
      });
  std::cout << (options.json ? score_json(score) : score_text(score));
}

}  // namespace argosy
