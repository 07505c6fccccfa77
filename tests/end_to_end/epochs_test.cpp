// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run whose length and held-out samples follow from its data, and its resumption.
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class EpochsTest : public ProgramTest {
 protected:
  EpochsTest() {
    make_plan("one.json", "dense.json", 1, "tp=1");
    make_plan("two.json", "dense.json", 2, "tp=1,dp=2,pp=1");
    std::string rows;
    for (int row = 0; row < 50; ++row) rows += concat(R"({"text": "row number )", row, "\"}\n");
    write("rows.jsonl", rows);
  }

  // The plan's global batch is 8: 40 samples are 5 steps.
  ProgramResult train(const std::string& plan, const std::string& run,
                      const std::string& options) const {
    return succeed(concat("argosy-launch --plan ", plan, " -- --data rows.jsonl --packing none ",
                          "--run-dir ", run, " ", options));
  }

  std::vector<Json> metrics_of(const std::string& run) const {
    std::vector<Json> lines;
    std::istringstream text(read(run + "/metrics.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

TEST_F(EpochsTest, LengthAndHeldOutSamplesFollowFromTheData) {
  const int64_t global_batch = Json::parse(read("one.json"))["global_batch"];
  const int64_t steps = (2 * 40 + global_batch - 1) / global_batch;
  const std::string options =
      "--epochs 2 --eval-fraction 0.2 --warmup-ratio 0.5 --lr-schedule cosine";
  const ProgramResult whole = train("one.json", "whole", options);
  EXPECT_TRUE(contains(whole.out, concat("epochs   2 of 40 samples: ", steps, " steps of ",
                                         global_batch, ", ", (steps + 1) / 2, " of them warm-up")))
      << whole.out;
  EXPECT_TRUE(contains(whole.out, "held out 10 of 50 samples, drawn by the seed")) << whole.out;
  EXPECT_TRUE(contains(whole.out, concat("eval ", steps, "/", steps))) << whole.out;
  EXPECT_EQ(metrics_of("whole").back()["step"], steps);

  // On two ranks the same, and in two parts, the second of which holds out the same samples.
  train("two.json", "parts", "--epochs 1 --eval-fraction 0.2");
  const ProgramResult rest = train("two.json", "parts", "--epochs 2 --resume auto");
  EXPECT_TRUE(contains(rest.out, "held out 10 of 50 samples")) << rest.out;
  train("two.json", "at_once", "--epochs 2 --eval-fraction 0.2");
  EXPECT_EQ(metrics_of("parts").back()["loss"], metrics_of("at_once").back()["loss"]);
  EXPECT_EQ(metrics_of("parts").back()["step"], steps);
}

}  // namespace
}  // namespace argosy
