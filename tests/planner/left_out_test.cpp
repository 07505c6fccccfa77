// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How well runs are predicted that a fit has not seen, over a part of the published ones that takes
// seconds; argosy-fit-stacks --models does it for all.
#include "planner/score/left_out.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

#include "planner/spec/files.h"

namespace argosy {
namespace {

TEST(LeftOut, ModelsThatAFitHasNotSeen) {
  const std::string root = ARGOSY_SOURCE_DIR;
  const std::string path = root + "/tests/golden/published_runs.csv";
  const ScoreFiles files = read_score_files(root + "/configs");
  const std::set<std::string> sources = {"SC21T1", "SC21T2", "KOR", "MEG20", "AM"};
  std::vector<PublishedRun> some;
  for (const PublishedRun& run : published_runs(parse_csv(read_text_file(path), path))) {
    if (sources.count(run.group()) > 0) some.push_back(run);
  }
  std::vector<PreparedRun> prepared = prepare_all(some, files);
  Runs runs;
  for (PreparedRun& run : prepared) runs.push_back(&run);
  const Score score = summarize(leave_models_out(runs));
  std::printf("%s", score_text(score).c_str());
  EXPECT_EQ(score.total.errors.n, 31);
  EXPECT_LT(score.total.errors.mape, 0.092);
  EXPECT_LT(score.groups.at("MEG20").errors.mape, 0.015);
  EXPECT_LT(score.groups.at("KOR").errors.mape, 0.06);
}

}  // namespace
}  // namespace argosy
