// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/meter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "comm/self/self_communicator.h"

namespace argosy {
namespace {

// Sleeps are at least as long as asked for, whatever else the machine does.
void sleep_1_ms() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

class MeterTest : public testing::Test {
 protected:
  DeviceContext device_{Device::cpu};
  std::unique_ptr<Communicator> self_ = make_self_communicator();
};

TEST_F(MeterTest, WhenTheTimeIsOverAJobRunsOnceMore) {
  int64_t calls = 0, told = -1;
  Meter meter(device_, *self_, 0, 2, [&](int64_t done) { told = done; });
  EXPECT_FALSE(meter.fits(1e-9));
  const double seconds = meter.seconds([&] {
    ++calls;
    sleep_1_ms();
  });
  EXPECT_EQ(calls, 3);  // to warm up, to know how long it takes, a sample
  EXPECT_GE(seconds, 1e-3);
  EXPECT_EQ(told, 0);
  EXPECT_EQ(meter.jobs_done(), 1);
}

TEST_F(MeterTest, SamplesFollowFromTheShare) {
  int64_t calls = 0;
  Meter meter(device_, *self_, 1e9, 1, {});  // more time than anybody needs
  EXPECT_TRUE(meter.fits(1));
  meter.seconds([&] {
    ++calls;
    sleep_1_ms();
  });
  EXPECT_EQ(calls, 2 + 101);
  Meter shared(device_, *self_, 10, 10, {});
  EXPECT_TRUE(shared.fits(0.2));  // five calls within the second that each job has
  EXPECT_FALSE(shared.fits(0.21));
  shared.skip(9);  // leaves their time to the last one
  EXPECT_TRUE(shared.fits(1.9));
}

}  // namespace
}  // namespace argosy
