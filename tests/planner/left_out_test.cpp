// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How well runs are predicted that a fit has not seen, over a part of the published ones that takes
// seconds; argosy-fit-stacks --models does it for all.
#include "planner/score/left_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "planner/score/other_releases.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {
namespace {

// Rows of some sources, ready to be fitted.
std::vector<PreparedRun> rows_of(const std::set<std::string>& sources) {
  static const std::string root = ARGOSY_SOURCE_DIR;
  static const ScoreFiles files = read_score_files(root + "/configs");
  const std::string path = root + "/tests/golden/published_runs.csv";
  std::vector<PublishedRun> some;
  for (const PublishedRun& run : published_runs(parse_csv(read_text_file(path), path))) {
    if (sources.count(run.group()) > 0) some.push_back(run);
  }
  return prepare_all(some, files);
}

Runs pointers(std::vector<PreparedRun>& prepared) {
  Runs runs;
  for (PreparedRun& run : prepared) runs.push_back(&run);
  return runs;
}

double predicted_s(const std::vector<RunScore>& scores, const std::string& id) {
  for (const RunScore& score : scores) {
    if (score.id == id) return score.predicted_step_s;
  }
  ADD_FAILURE() << id << " was not predicted";
  return 0;
}

TEST(LeftOut, ModelsThatAFitHasNotSeen) {
  std::vector<PreparedRun> prepared = rows_of({"SC21T1", "SC21T2", "KOR", "MEG20", "AM"});
  const Score score = summarize(leave_models_out(pointers(prepared)));
  std::printf("%s", score_text(score).c_str());
  EXPECT_EQ(score.total.errors.n, 31);
  EXPECT_LT(score.total.errors.mape, 0.08);
  // 1.4% where all sources are fitted (4.1% before products were joined), 1.8% with these alone.
  EXPECT_LT(score.groups.at("MEG20").errors.mape, 0.02);
  EXPECT_LT(score.groups.at("KOR").errors.mape, 0.03);
}

// What was measured for a run has no part in what is predicted for it, at none of the levels of a
// fit; it has one in what is predicted for others.
TEST(LeftOut, MeasurementsOfHeldRunsAreNotSeen) {
  std::vector<PreparedRun> prepared = rows_of({"KOR"});
  const Runs runs = pointers(prepared);
  const std::vector<RunScore> models = leave_models_out(runs), folds = leave_folds_out(runs, 2);
  for (PreparedRun* run : runs) {
    if (run->run.id == "KOR-009") run->measured_s.front() *= 1.5;  // the first of its model
    if (run->run.id == "KOR-010") run->measured_s.front() *= 1.5;
  }
  const std::vector<RunScore> more_models = leave_models_out(runs);
  for (const char* held : {"KOR-009", "KOR-010"}) {
    EXPECT_DOUBLE_EQ(predicted_s(more_models, held), predicted_s(models, held));
  }
  EXPECT_NE(predicted_s(more_models, "KOR-001"), predicted_s(models, "KOR-001"));
  for (PreparedRun* run : runs) {
    if (run->run.id == "KOR-010") run->measured_s.front() /= 1.5;
  }
  const std::vector<RunScore> more_folds = leave_folds_out(runs, 2);
  EXPECT_DOUBLE_EQ(predicted_s(more_folds, "KOR-009"), predicted_s(folds, "KOR-009"));
  EXPECT_NE(predicted_s(more_folds, "KOR-010"), predicted_s(folds, "KOR-010"));
}

// Notes of a row tell of other releases with its plan: they are left out with the row.
TEST(LeftOut, OtherReleasesAreLeftOutWithTheirRow) {
  std::vector<PreparedRun> prepared = rows_of({"MB"});
  Runs runs;
  for (PreparedRun& run : prepared) {
    const bool is_dense = run.run.arch == "dense";
    if (is_dense && run.run.gpu == "GB300") runs.push_back(&run);
  }
  const auto extra =
      std::find_if(runs.begin(), runs.end(), [](const PreparedRun* run) { return run->is_extra; });
  ASSERT_NE(extra, runs.end());
  const std::string row = row_of((*extra)->run);
  EXPECT_NE((*extra)->run.id, row);
  const double models_s = predicted_s(leave_models_out(runs), row);
  const double folds_s = predicted_s(leave_folds_out(runs, 2), row);
  (*extra)->measured_s.front() *= 2;
  EXPECT_DOUBLE_EQ(predicted_s(leave_models_out(runs), row), models_s);
  EXPECT_DOUBLE_EQ(predicted_s(leave_folds_out(runs, 2), row), folds_s);
}

TEST(LeftOut, FoldsCoverEachRowOnce) {
  std::vector<PreparedRun> prepared = rows_of({"SC21T1", "KOR"});
  const Runs runs = pointers(prepared);
  for (const int64_t num_folds : {2, 3}) {
    std::set<std::string> ids;
    const std::vector<RunScore> scores = leave_folds_out(runs, num_folds);
    for (const RunScore& score : scores) ids.insert(score.id);
    EXPECT_EQ(scores.size(), runs.size());
    EXPECT_EQ(ids.size(), runs.size());
  }
  EXPECT_THROW(leave_folds_out(runs, 1), ConfigError);
}

}  // namespace
}  // namespace argosy
