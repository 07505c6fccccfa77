// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The conformance checks over MPI ranks, through a shared window and over messages.
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"
#include "tests/support/mpi_world.h"

namespace argosy {
namespace {

class MpiConformance : public testing::TestWithParam<ConformanceCheck> {};
TEST_P(MpiConformance, Holds) {
  GetParam().run(mpi_test_world());
}
TEST_P(MpiConformance, HoldsOverMessages) {
  GetParam().run(*make_mpi_test_world(over_messages()));
}
TEST_P(MpiConformance, HoldsCutSmall) {
  GetParam().run(*make_mpi_test_world(tiny_limits()));
}
INSTANTIATE_TEST_SUITE_P(Checks, MpiConformance, testing::ValuesIn(conformance_checks()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

TEST(MpiWindow, IsUsedInsideANode) {
  Communicator& world = mpi_test_world();
  const CommRoute route = world.route();
  EXPECT_EQ(route.shares_memory, world.size() > 1) << route.obstacle;
  EXPECT_EQ(route.obstacle, "");
  EXPECT_EQ(route.window_bytes > 0, world.size() > 1);
  EXPECT_FALSE(make_mpi_test_world(over_messages())->route().shares_memory);
}

TEST(MpiWindow, GivesTheBitsOfMessages) {
  check_same_bits(mpi_test_world(), *make_mpi_test_world(over_messages()));
  check_same_bits(*make_mpi_test_world(tiny_limits()),
                  *make_mpi_test_world(over_messages(tiny_limits())));
}

}  // namespace

void PrintTo(const ConformanceCheck& check, std::ostream* out) {
  *out << check.name;
}

}  // namespace argosy
