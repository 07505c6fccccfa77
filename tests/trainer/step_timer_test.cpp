// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/step_timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "comm/recording.h"
#include "comm/self/self_communicator.h"
#include "tests/trainer/scripted_streams.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/op_timer.h"

namespace argosy {
namespace {

// Two ranks whose all-reduces run on a device's queue.
class DeviceGroup : public Communicator {
 public:
  explicit DeviceGroup(ScriptedStreams& streams) : streams_(streams) {}
  int rank() const override { return 0; }
  int size() const override { return 2; }
  Request start_all_reduce(Buffer, ReduceOp) override {
    DeviceSpan span;
    span.begin = streams_.scripted_clock.stamp(streams_.compute());
    span.end = streams_.scripted_clock.stamp(streams_.compute());
    return Request(std::make_unique<State>(span));
  }
  Request start_reduce_scatter(ConstBuffer, Buffer, std::span<const int64_t>) override {
    return {};
  }
  Request start_all_gather(ConstBuffer, Buffer, std::span<const int64_t>) override { return {}; }
  Request start_all_to_all(ConstBuffer, std::span<const int64_t>, Buffer,
                           std::span<const int64_t>) override {
    return {};
  }
  Request start_broadcast(Buffer, int) override { return {}; }
  Request start_send(ConstBuffer, int, int) override { return {}; }
  Request start_recv(Buffer, int, int) override { return {}; }
  void barrier() override {}
  std::unique_ptr<Communicator> split(int, int) override { return nullptr; }
  void abort(int) override {}

 private:
  struct State : Request::State {
    explicit State(DeviceSpan span) : span_(span) {}
    void wait() override {}
    bool test() override { return false; }
    bool is_on_device() const override { return true; }
    DeviceSpan device_span() const override { return span_; }
    DeviceSpan span_;
  };
  ScriptedStreams& streams_;
};

TimelineEvent event_of(const Timeline& timeline, const std::string& name) {
  const auto found = std::find_if(timeline.events.begin(), timeline.events.end(),
                                  [&](const TimelineEvent& event) { return event.name == name; });
  EXPECT_NE(found, timeline.events.end()) << name;
  return found == timeline.events.end() ? TimelineEvent() : *found;
}

class DeviceStep : public ::testing::Test {
 protected:
  DeviceStep() {
    recording_->times = &times_;
    times_.set_device(&streams_);
  }
  std::unique_ptr<Communicator> group_of(Axis axis) {
    return make_recording_communicator(std::make_unique<DeviceGroup>(streams_), axis, recording_);
  }
  void stamps(std::initializer_list<double> seconds) { streams_.scripted_clock.script_s = seconds; }

  ScriptedStreams streams_;
  WorkClock clock_{&streams_};
  CommTimes times_;
  std::shared_ptr<RecordingSwitch> recording_ = std::make_shared<RecordingSwitch>();
  Timeline timeline_;
  StepParts parts_;
};

// The host is through in no time; everything is told by the device: an all-reduce of 4 s, 3 of them
// beside computation.
TEST_F(DeviceStep, PartsAndSpansAreTheDevices) {
  const auto tp = group_of(Axis::tp);
  StepTimer timer(times_, clock_, 7, false);
  stamps({1});
  timer.end_phase(&StepParts::data_s, "data");
  stamps({1, 2, 6, 5, 6, 9});  // action begins; call begins, ends; wait begins, ends; action ends
  WorkSpan action{"0F0", clock_.now(), {}};
  Request request = tp->start_all_reduce({}, ReduceOp::sum);
  request.wait();
  action.end = clock_.now();
  stamps({9});
  timer.end_phase(&StepParts::compute_s);
  stamps({10});
  timer.end_phase(&StepParts::optimizer_s, "optimizer");
  timer.finish({action}, &timeline_, &parts_);

  EXPECT_EQ(parts_.data_s, 1);
  EXPECT_EQ(parts_.compute_s, 7);
  EXPECT_EQ(parts_.exposed_comm_s[static_cast<size_t>(Axis::tp)], 1);
  EXPECT_EQ(parts_.optimizer_s, 1);
  EXPECT_EQ(total_s(parts_), 10);
  EXPECT_EQ(timeline_.step_s, 10);
  const TimelineEvent call = event_of(timeline_, "all_reduce tp");
  EXPECT_EQ(call.rank, 7);
  EXPECT_EQ(call.start_s, 2);
  EXPECT_EQ(call.end_s, 6);
  EXPECT_EQ(event_of(timeline_, "0F0").end_s, 9);
  EXPECT_EQ(event_of(timeline_, "optimizer").start_s, 9);
  EXPECT_EQ(timer.collective_s()[static_cast<size_t>(CollectiveKind::all_reduce)], 4);
}

TEST_F(DeviceStep, WaitsForStagesAreTheBubble) {
  const auto pp = group_of(Axis::pp), world = group_of(Axis::world);
  StepTimer timer(times_, clock_, 0, true);
  stamps({1, 2, 1, 3, 3, 4, 3, 5, 8});
  pp->start_all_reduce({}, ReduceOp::sum).wait();     // waits 1 to 3
  world->start_all_reduce({}, ReduceOp::sum).wait();  // waits 3 to 5
  timer.end_phase(&StepParts::compute_s);
  timer.finish({}, &timeline_, &parts_);
  EXPECT_EQ(parts_.bubble_s, 4);
  EXPECT_EQ(parts_.compute_s, 4);
}

// An evaluation, and what lies between steps, leaves no stamps to be read.
TEST_F(DeviceStep, NothingIsStampedBetweenSteps) {
  const auto tp = group_of(Axis::tp);
  {
    stamps({1});
    StepTimer timer(times_, clock_, 0, false);
    timer.end_phase(&StepParts::compute_s);
    timer.finish({}, &timeline_, &parts_);
  }
  EXPECT_EQ(clock_.now().stamp, DeviceClock::kNoStamp);
  tp->start_all_reduce({}, ReduceOp::sum).wait();
  times_.read_device();
  EXPECT_TRUE(times_.spans().empty());
}

TEST_F(DeviceStep, RangesHaveTheNamesOfTheTimeline) {
  group_of(Axis::dp)->start_all_reduce({}, ReduceOp::sum).wait();
  EXPECT_EQ(streams_.ranges,
            (std::vector<std::string>{"begin all_reduce dp", "end", "begin all_reduce dp", "end"}));
}

TEST_F(DeviceStep, SecondsOfOpsAreReadLater) {
  double sum_s = 0.5;
  stamps({2, 5, 7, 8});
  clock_.restart();
  const Moment begin = clock_.now(), end = clock_.now();
  clock_.add(begin, end, &sum_s);
  const Moment next_begin = clock_.now(), next_end = clock_.now();
  clock_.add(next_begin, next_end, &sum_s);
  EXPECT_EQ(sum_s, 0.5);
  clock_.stop();
  clock_.read();
  clock_.read();  // once
  EXPECT_EQ(sum_s, 0.5 + 3 + 1);
}

TEST(HostStep, PartsSumToTheStep) {
  CommTimes times;
  WorkClock clock(nullptr);
  StepTimer timer(times, clock, 0, false);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  timer.end_phase(&StepParts::compute_s, "reduce");
  times.add_blocked(Axis::dp, 0.25);
  timer.end_phase(&StepParts::optimizer_s, "optimizer");
  Timeline timeline;
  StepParts parts;
  timer.finish({}, &timeline, &parts);
  EXPECT_GE(parts.compute_s, 2e-3);
  EXPECT_EQ(parts.exposed_comm_s[static_cast<size_t>(Axis::dp)], 0.25);
  EXPECT_NEAR(total_s(parts), timeline.step_s, 1e-12);
}

TEST(HostStep, SecondsOfOpsAreThereAtOnce) {
  DeviceContext device(Device::cpu);
  {
    const ops::OpTimer timer(device, device.op_seconds.matmul_s);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_GE(device.op_seconds.matmul_s, 2e-3);
}

}  // namespace
}  // namespace argosy
