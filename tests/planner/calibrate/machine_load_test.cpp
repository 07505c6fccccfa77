// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/machine_load.h"

#include <gtest/gtest.h>

namespace argosy {
namespace {

TEST(MachineLoad, ReadsTheLineOfAllCores) {
  // Guests (the last two) are in user and nice already.
  const CoreSeconds seconds =
      core_seconds("cpu  1000 200 300 4000 500 10 20 70 900 90\ncpu0 1 2 3 4 5 6 7 8 9 10\n", 100);
  EXPECT_DOUBLE_EQ(seconds.busy, 16);  // stolen time is not ours
  EXPECT_DOUBLE_EQ(seconds.idle, 45);
  for (const char* text :
       {"", "cpu", "cpu  1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu a b c d e f g h"}) {
    EXPECT_EQ(core_seconds(text, 100).busy, 0) << text;
    EXPECT_EQ(core_seconds(text, 100).idle, 0) << text;
  }
}

TEST(MachineLoad, ThisMachineCountsItsCores) {
  const CoreSeconds now = core_seconds_now();
  EXPECT_GT(now.busy, 0);
  EXPECT_GE(core_seconds_now().busy, now.busy);
}

// Two cores for 20 s, both of them measured on.
TEST(MachineLoad, WarnsOfOthersAlone) {
  const CoreSeconds before = {100, 500};
  EXPECT_EQ(load_warning(before, {138, 502}, 38), "");    // the rest idle
  EXPECT_EQ(load_warning(before, {140, 500}, 36.5), "");  // 9% of others
  const std::string warning = load_warning(before, {140, 500}, 20);
  EXPECT_NE(warning.find("other programs had 50.0% of this machine's cores"), std::string::npos)
      << warning;
  EXPECT_NE(warning.find("calibrate again"), std::string::npos) << warning;
  EXPECT_EQ(load_warning({}, {}, 0), "");  // no such counts
}

}  // namespace
}  // namespace argosy
