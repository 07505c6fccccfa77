// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The same table over MPI: one mpirun a world size runs all layouts of that size.
#include <gtest/gtest.h>

#include "comm/self/self_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/mpi_world.h"

namespace argosy {
namespace {

TEST(LayoutsOverMpi, EqualOneRank) {
  Communicator& world = mpi_test_world();
  int num_layouts = 0;
  for (const Layout& layout : layouts()) {
    const Plan plan = plan_of(layout);
    if (plan.mesh.world_size() != world.size()) continue;
    const auto self = make_self_communicator();
    const LayoutRecord expected =
        run_layout(*self, reference_plan_of(layout), settings_of(layout), 3);
    const std::vector<std::string> lines =
        compare(expected, run_layout(world, plan, settings_of(layout), 3));
    EXPECT_TRUE(lines.empty()) << layout.name << ": " << (lines.empty() ? "" : lines.front());
    ++num_layouts;
  }
  EXPECT_GT(num_layouts, 0) << "no layout of " << world.size() << " ranks in the table";
}

}  // namespace
}  // namespace argosy
