// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The conformance checks over NCCL on GPUs, several ranks on one where there are fewer GPUs.
#include "comm/nccl/nccl_communicator.h"
#include "planner/spec/check.h"
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"
#include "tests/comm/nccl/device_adapter.h"
#include "tests/support/mpi_world.h"
#include "trainer/device/device_context.h"

namespace argosy {
namespace {

// 0, and why.
int num_gpus(std::string* reason) {
  try {
    return count_cuda_devices();
  } catch (const Error& error) {
    *reason = error.what();
    return 0;
  }
}

class NcclConformance : public testing::TestWithParam<ConformanceCheck> {};
TEST_P(NcclConformance, Holds) {
  std::string reason;
  prepare_cuda_environment();
  const int gpus = num_gpus(&reason);
  if (gpus == 0) GTEST_SKIP() << reason;
  Communicator& hosts = mpi_test_world();
  const bool share = hosts.size() > gpus;
  prepare_nccl_environment(hosts.rank(), share);
  DeviceContext device(Device::cuda, hosts.rank() % gpus);
  const auto world = make_device_adapter(
      make_nccl_communicator(hosts.split(0, hosts.rank()), *device.backend().streams(),
                             {.share_devices = share}),
      device);
  GetParam().run(*world);
}
INSTANTIATE_TEST_SUITE_P(Checks, NcclConformance, testing::ValuesIn(conformance_checks()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace

void PrintTo(const ConformanceCheck& check, std::ostream* out) {
  *out << check.name;
}

}  // namespace argosy
