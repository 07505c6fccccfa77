// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The conformance checks over MPI ranks.
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"
#include "tests/support/mpi_world.h"

namespace argosy {
namespace {

class MpiConformance : public testing::TestWithParam<ConformanceCheck> {};
TEST_P(MpiConformance, Holds) {
  GetParam().run(mpi_test_world());
}
INSTANTIATE_TEST_SUITE_P(Checks, MpiConformance, testing::ValuesIn(conformance_checks()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace

void PrintTo(const ConformanceCheck& check, std::ostream* out) {
  *out << check.name;
}

}  // namespace argosy
