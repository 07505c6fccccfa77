// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The conformance checks over a group of one and over threads.
#include <tuple>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

constexpr double kTimeLimit = 60.0;  // seconds a call may wait

std::string check_name(const ConformanceCheck& check) {
  return check.name;
}

class SelfConformance : public testing::TestWithParam<ConformanceCheck> {};
TEST_P(SelfConformance, Holds) {
  GetParam().run(*make_self_communicator());
}
INSTANTIATE_TEST_SUITE_P(Checks, SelfConformance, testing::ValuesIn(conformance_checks()),
                         [](const auto& parameter) { return check_name(parameter.param); });

class ThreadConformance : public testing::TestWithParam<std::tuple<ConformanceCheck, int>> {};
TEST_P(ThreadConformance, Holds) {
  const auto& [check, size] = GetParam();
  run_on_threads(size, check.run, kTimeLimit);
}
class MessageConformance : public ThreadConformance {};
TEST_P(MessageConformance, Holds) {
  const auto& [check, size] = GetParam();
  run_on_threads(size, check.run, kTimeLimit, over_messages());
}

class CutConformance : public ThreadConformance {};
TEST_P(CutConformance, Holds) {
  const auto& [check, size] = GetParam();
  run_on_threads(size, check.run, kTimeLimit, tiny_limits());
}
class CutMessageConformance : public ThreadConformance {};
TEST_P(CutMessageConformance, Holds) {
  const auto& [check, size] = GetParam();
  run_on_threads(size, check.run, kTimeLimit, over_messages(tiny_limits()));
}

std::string check_and_size(
    const testing::TestParamInfo<std::tuple<ConformanceCheck, int>>& parameter) {
  return check_name(std::get<0>(parameter.param)) + "_" +
         std::to_string(std::get<1>(parameter.param));
}
INSTANTIATE_TEST_SUITE_P(Checks, ThreadConformance,
                         testing::Combine(testing::ValuesIn(conformance_checks()),
                                          testing::Values(1, 2, 3, 4, 5)),
                         check_and_size);
INSTANTIATE_TEST_SUITE_P(Checks, MessageConformance,
                         testing::Combine(testing::ValuesIn(conformance_checks()),
                                          testing::Values(1, 2, 3, 4, 5)),
                         check_and_size);
INSTANTIATE_TEST_SUITE_P(Checks, CutConformance,
                         testing::Combine(testing::ValuesIn(conformance_checks()),
                                          testing::Values(2, 3, 4)),
                         check_and_size);
INSTANTIATE_TEST_SUITE_P(Checks, CutMessageConformance,
                         testing::Combine(testing::ValuesIn(conformance_checks()),
                                          testing::Values(2, 3)),
                         check_and_size);

}  // namespace

// For GoogleTest's messages.
void PrintTo(const ConformanceCheck& check, std::ostream* out) {
  *out << check.name;
}

}  // namespace argosy
