// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The CUDA device itself, on a GPU: its clock, its copies, where it sits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "comm/device_streams.h"
#include "planner/spec/check.h"
#include "trainer/device/device_context.h"
#include "trainer/device/device_graph.h"
#include "trainer/device/host_backend.h"
#include "trainer/device/host_copy.h"
#include "trainer/device/pinned_copies.h"

namespace argosy {
namespace {

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      device = std::make_unique<DeviceContext>(Device::cuda);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  DeviceStreams& streams() { return *device->backend().streams(); }
  std::unique_ptr<DeviceContext> device;
};

TEST(CudaEnvironment, StreamsGetQueuesUnlessTheUserChose) {
  unsetenv("CUDA_DEVICE_MAX_CONNECTIONS");
  prepare_cuda_environment();
  EXPECT_STREQ(getenv("CUDA_DEVICE_MAX_CONNECTIONS"), "32");
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "8", 1);
  prepare_cuda_environment();
  EXPECT_STREQ(getenv("CUDA_DEVICE_MAX_CONNECTIONS"), "8");
}

// Clearing 256 MiB takes at least 20 us on any GPU (13 TB/s), and less than a second.
TEST_F(CudaDeviceTest, StampsAreInOrderAndTellTheWork) {
  const Tensor x = device->empty({int64_t{64} << 20}, DType::fp32, MemoryCategory::buffers);
  WorkClock& clock = device->clock();
  device->synchronize();
  for (int step = 0; step < 2; ++step) {  // the second uses the events of the first
    clock.restart();
    const Moment begin = clock.now();
    device->backend().clear(x.raw(), x.bytes());
    const Moment end = clock.now();
    clock.stop();
    EXPECT_EQ(clock.now().stamp, DeviceClock::kNoStamp);
    device->synchronize();
    EXPECT_GE(clock.seconds(begin), 0);
    const double seconds = clock.seconds(end) - clock.seconds(begin);
    EXPECT_GT(seconds, 20e-6);
    EXPECT_LT(seconds, 1);
  }
}

TEST_F(CudaDeviceTest, StampsOfAnotherQueueAreOnTheSameClock) {
  const std::unique_ptr<DeviceQueue> queue = streams().make_queue();
  WorkClock& clock = device->clock();
  clock.restart();
  const Moment before = clock.now();
  queue->wait_for(*streams().compute().mark());
  const Moment there{0, streams().clock()->stamp(*queue)};
  streams().compute().wait_for(*queue->mark());
  const Moment after = clock.now();
  device->synchronize();
  EXPECT_LE(clock.seconds(before), clock.seconds(there));
  EXPECT_LE(clock.seconds(there), clock.seconds(after));
}

TEST_F(CudaDeviceTest, CopiesOutBesideTheOps) {
  std::vector<float> values(100'003);
  std::iota(values.begin(), values.end(), 1.0f);
  const auto size = static_cast<int64_t>(values.size());
  const Tensor x = device->empty({size}, DType::fp32, MemoryCategory::buffers);
  copy_to_device(std::span<const float>(values), x);
  PinnedCopies& copies = *device->backend().pinned_copies();
  void* pinned = copies.allocate(x.bytes());
  const std::unique_ptr<DeviceQueue> queue = streams().make_queue();
  queue->wait_for(*streams().compute().mark());
  copies.begin(*queue, x.raw(), pinned, x.bytes());
  streams().compute().wait_for(*queue->mark());
  device->backend().clear(x.raw(), x.bytes());  // what an update does
  device->synchronize();
  EXPECT_EQ(std::memcmp(pinned, values.data(), static_cast<size_t>(x.bytes())), 0);
  copies.release(pinned);
}

// As weights come back from a host that updates them, out of memory that it computes with.
TEST_F(CudaDeviceTest, CopiesBackBesideTheOps) {
  DeviceContext host(Device::cpu, make_host_backend(device->backend()));
  const Tensor pinned = host.empty({100'003}, DType::fp32, MemoryCategory::workspace);
  std::vector<float> values(100'003);
  std::iota(values.begin(), values.end(), 1.0f);
  copy_to_device(std::span<const float>(values), pinned);
  const Tensor x = device->zeros(pinned.shape(), DType::fp32, MemoryCategory::buffers);
  const std::unique_ptr<DeviceQueue> queue = streams().make_queue();
  queue->wait_for(*streams().compute().mark());
  device->backend().pinned_copies()->begin_upload(*queue, pinned.raw(), x.raw(), x.bytes());
  const std::unique_ptr<DeviceMark> done = queue->mark();
  streams().wait(*done);
  EXPECT_TRUE(done->reached());
  EXPECT_EQ(copy_to_host<float>(x), values);
  EXPECT_EQ(host.memory().total_current, pinned.bytes());
}

TEST_F(CudaDeviceTest, LaunchesWhatWasCaptured) {
  const std::vector<float> values(1000, 3.0f);
  const Tensor x = device->empty({1000}, DType::fp32, MemoryCategory::buffers);
  const std::unique_ptr<DeviceQueue> queue = streams().make_queue();
  WorkClock& clock = device->clock();
  clock.restart();
  Moment begin, end;
  const std::unique_ptr<DeviceGraph> graph = device->backend().graphs()->capture([&] {
    begin = clock.now();
    queue->wait_for(*streams().compute().mark());
    device->backend().clear(x.raw(), x.bytes());
    streams().compute().wait_for(*queue->mark());
    end = clock.now();
  });
  EXPECT_EQ(graph->num_nodes(), 3);  // two stamps and what clears
  for (int launch = 0; launch < 2; ++launch) {
    copy_to_device(std::span<const float>(values), x);
    device->synchronize();
    clock.restart();
    EXPECT_EQ(copy_to_host<float>(x).front(), 3.0f);
    graph->launch();
    clock.skip_to(end.stamp + 1);
    clock.stop();
    EXPECT_EQ(copy_to_host<float>(x).front(), 0.0f);
    EXPECT_GE(clock.seconds(begin), 0);
    EXPECT_GE(clock.seconds(end), clock.seconds(begin));
    EXPECT_LT(clock.seconds(end), 1);
  }
  // What cannot be captured is an error, and the device goes on.
  EXPECT_THROW(device->backend().graphs()->capture([&] {
    device->empty({int64_t{1} << 28}, DType::fp32, MemoryCategory::buffers);
  }),
               Error);
  EXPECT_THROW(device->backend().graphs()->capture([&] { device->synchronize(); }), Error);
  copy_to_device(std::span<const float>(values), x);
  EXPECT_EQ(copy_to_host<float>(x).back(), 3.0f);
}

TEST_F(CudaDeviceTest, SaysWhereItSits) {
  const std::string address = pci_address_of_cuda_device(0);
  EXPECT_EQ(std::count(address.begin(), address.end(), ':'), 2) << address;
  streams().push_range("a range");
  streams().pop_range();
}

}  // namespace
}  // namespace argosy
