// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// main of tests under mpirun. Every rank runs every test; rank 0 prints, the others only their
// failures. A fatal failure or an exception on one rank would leave the others waiting in the
// middle of a test: it ends the job.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "comm/mpi/mpi_communicator.h"
#include "planner/spec/check.h"
#include "tests/support/mpi_world.h"

namespace argosy {
namespace {

// The globals of a test program: GoogleTest's tests take no arguments.
Communicator*& world_pointer() {
  static Communicator* world = nullptr;
  return world;
}
const MpiEnvironment*& environment_pointer() {
  static const MpiEnvironment* environment = nullptr;
  return environment;
}

class RankListener : public testing::EmptyTestEventListener {
 public:
  explicit RankListener(Communicator& world) : world_(world) {}

 private:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d of %d: %s:%d: %s\n", world_.rank(), world_.size(),
                 result.file_name() ? result.file_name() : "?", result.line_number(),
                 result.message());
    if (result.fatally_failed()) world_.abort(kExitFailure);
  }

  Communicator& world_;
};

// The worst result of any rank.
int run_tests(Communicator& world) {
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (world.rank() != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new RankListener(world));  // owned by GoogleTest
  int32_t result = RUN_ALL_TESTS();
  world.all_reduce({&result, 1, DType::int32}, ReduceOp::max);
  return result;
}

}  // namespace

Communicator& mpi_test_world() {
  CHECK(world_pointer() != nullptr, "no world: link tests/support/mpi_main.cpp");
  return *world_pointer();
}

std::unique_ptr<Communicator> make_mpi_test_world(const Limits& limits) {
  CHECK(environment_pointer() != nullptr, "no MPI: link tests/support/mpi_main.cpp");
  return environment_pointer()->world(limits);
}

}  // namespace argosy

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  argosy::MpiEnvironment environment(argc, argv);
  const std::unique_ptr<argosy::Communicator> world = environment.world();
  argosy::world_pointer() = world.get();
  argosy::environment_pointer() = &environment;
  const int result = argosy::run_tests(*world);
  argosy::world_pointer() = nullptr;
  return result;
}
