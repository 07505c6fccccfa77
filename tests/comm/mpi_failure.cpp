// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// A program under mpirun, two ranks: sizes of a message differ. Rank 1 must get an Error that names
// call, text and rank, and its abort must end rank 0, which waits for ever.
#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

#include "comm/mpi/mpi_communicator.h"
#include "planner/spec/check.h"

int main(int argc, char** argv) {
  using argosy::DType;
  argosy::MpiEnvironment environment(argc, argv);
  const std::unique_ptr<argosy::Communicator> world = environment.world();
  std::vector<float> values(5);
  try {
    if (world->rank() == 0) {
      world->send({values.data(), 5, DType::fp32}, 1, 0);
      world->recv({values.data(), 5, DType::fp32}, 1, 0);  // never comes
    } else {
      world->recv({values.data(), 3, DType::fp32}, 0, 0);
    }
  } catch (const argosy::Error& error) {
    std::fprintf(stderr, "caught: %s\n", error.what());
    world->abort(argosy::kExitFailure);
  }
  return argosy::kExitDone;
}
