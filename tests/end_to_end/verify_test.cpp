// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train --verify as a user runs it, and where the time of a step went.
#include <cmath>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class Verify : public ProgramTest {
 protected:
  void expect_equal(const std::string& plan, const std::string& more = "") const {
    const ProgramResult result =
        succeed(concat("argosy-launch --plan ", plan, " -- --data text.txt --verify 2 ", more));
    for (const char* part : {"verify 2/2 | loss ", "worst gradient of ", "worst parameter of ",
                             "verify   equal in 2 steps"}) {
      EXPECT_TRUE(contains(result.out, part)) << part << " in " << result.out;
    }
    EXPECT_FALSE(std::filesystem::exists(path("run"))) << "nothing is written";
  }
};

TEST_F(Verify, LayoutsEqualOneRankInEveryPrecision) {
  make_plan("moe.plan", "moe.json", 4, "pp=2,dp=2,ep=2,tp=1,micro_batch=2,zero=1");
  make_plan("dense.plan", "dense.json", 2, "tp=2,dp=1,pp=1");
  for (const char* precision : {"fp64", "fp32", "bf16"}) {
    expect_equal("moe.plan", concat("--precision ", precision));
    expect_equal("dense.plan", concat("--precision ", precision));
  }
}

TEST_F(Verify, PartsOfAStepSumToIt) {
  make_plan("plan.json", "moe.json", 4, "pp=2,dp=2,ep=2,tp=1,micro_batch=2,zero=1");
  const ProgramResult result = succeed(launch("plan.json", "run", 3));
  EXPECT_TRUE(contains(result.out, "| bubble ")) << result.out;
  EXPECT_TRUE(contains(result.out, "time   compute ")) << result.out;
  for (const StepMetrics& metrics : this->metrics("run")) {
    ASSERT_TRUE(metrics.parts && metrics.bubble_fraction && metrics.exposed_comm_s);
    EXPECT_NEAR(total_s(*metrics.parts), metrics.step_s, 1e-9 + 1e-6 * metrics.step_s);
    EXPECT_NEAR(exposed_comm_s(*metrics.parts), *metrics.exposed_comm_s, 1e-12);
    EXPECT_GT(metrics.parts->bubble_s, 0);
    EXPECT_GT(metrics.parts->compute_s, 0);
    EXPECT_GT(metrics.parts->exposed_comm_s[static_cast<size_t>(Axis::dp_cp)], 0);
    EXPECT_GT(metrics.parts->exposed_comm_s[static_cast<size_t>(Axis::ep)], 0);
  }
  const std::string trace = read("run/trace.json");
  for (const char* part : {"\"predicted\"", "\"measured\"", "reduce_scatter dp_cp", "all_to_all ep",
                           "rank 3 collectives"}) {
    EXPECT_TRUE(contains(trace, part)) << part;
  }
  EXPECT_TRUE(contains(read("run/report.html"), "Where the time of a step went"));
}

}  // namespace
}  // namespace argosy
