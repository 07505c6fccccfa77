// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The ledger's bytes are those that planner/spec/ledger.h defines.
#include "comm/recording.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"

namespace argosy {
namespace {

using Totals = std::map<CollectiveKey, CollectiveTotal>;

// One of each call, between two ranks.
void call_everything(Communicator& group) {
  std::vector<float> five(5), eight(8);
  const std::vector<int64_t> counts = {5, 3};
  const auto self = static_cast<size_t>(group.rank());
  const Buffer part{five.data(), counts[self], DType::fp32};
  const Buffer all{eight.data(), 8, DType::fp32};
  group.all_reduce({five.data(), 5, DType::bf16});
  group.reduce_scatter(all, part, counts);
  group.all_gather(part, all, counts);
  std::vector<float> received(8);
  const std::vector<int64_t> sends =
      group.rank() == 0 ? std::vector<int64_t>{2, 1} : std::vector<int64_t>{4, 0};
  const std::vector<int64_t> recvs =
      group.rank() == 0 ? std::vector<int64_t>{2, 4} : std::vector<int64_t>{1, 0};
  group.all_to_all({eight.data(), sends[0] + sends[1], DType::fp32}, sends,
                   {received.data(), recvs[0] + recvs[1], DType::fp32}, recvs);
  group.broadcast({eight.data(), 1, DType::fp64}, 0);
  if (group.rank() == 0) group.send({eight.data(), 7, DType::int32}, 1, 0);
  if (group.rank() == 1) group.recv({eight.data(), 7, DType::int32}, 0, 0);
  group.barrier();
}

TEST(Recording, CountsThisRanksPayload) {
  run_on_threads(2, [](Communicator& world) {
    Ledger ledger;
    const auto group = make_recording_communicator(world.split(0, world.rank()), Axis::tp, &ledger);
    call_everything(*group);
    call_everything(*group);
    Totals expected = {
        {{CollectiveKind::all_reduce, Axis::tp}, {2, 2 * 5 * 2}},      // the buffer
        {{CollectiveKind::reduce_scatter, Axis::tp}, {2, 2 * 8 * 4}},  // the input
        {{CollectiveKind::all_gather, Axis::tp}, {2, 2 * 8 * 4}},      // the output
        {{CollectiveKind::broadcast, Axis::tp}, {2, 2 * 8}},           // the buffer
    };
    const int64_t sent = world.rank() == 0 ? 3 : 4;  // elements, to itself included
    expected[{CollectiveKind::all_to_all, Axis::tp}] = {2, 2 * sent * 4};
    expected[{world.rank() == 0 ? CollectiveKind::send : CollectiveKind::recv, Axis::tp}] = {
        2, 2 * 7 * 4};
    EXPECT_EQ(ledger.collectives, expected);
  });
}

TEST(Recording, SwitchPausesAndChangesTheLedger) {
  run_on_threads(2, [](Communicator& world) {
    Ledger first, second;
    const auto recording = std::make_shared<RecordingSwitch>();
    const auto group =
        make_recording_communicator(world.split(0, world.rank()), Axis::ep, recording);
    double value = 1;
    const Buffer buffer{&value, 1, DType::fp64};
    group->all_reduce(buffer);
    recording->ledger = &first;
    group->all_reduce(buffer);
    group->all_reduce(buffer);
    recording->ledger = &second;
    group->all_reduce(buffer);
    const CollectiveKey key{CollectiveKind::all_reduce, Axis::ep};
    EXPECT_EQ(first.collectives, (Totals{{key, {2, 16}}}));
    EXPECT_EQ(second.collectives, (Totals{{key, {1, 8}}}));
  });
}

TEST(Recording, TimesSpansAndBlocking) {
  run_on_threads(2, [](Communicator& world) {
    CommTimes times;
    const auto recording = std::make_shared<RecordingSwitch>();
    const auto group =
        make_recording_communicator(world.split(0, world.rank()), Axis::tp, recording);
    double value = 1;
    const Buffer buffer{&value, 1, DType::fp64};
    group->all_reduce(buffer);  // not timed
    recording->times = &times;
    const auto nap = std::chrono::milliseconds(60);
    if (world.rank() == 1) std::this_thread::sleep_for(nap);  // rank 0 waits for it
    group->all_reduce(buffer);
    Request request = group->start_all_reduce(buffer, ReduceOp::sum);
    std::this_thread::sleep_for(nap);  // work that hides the call
    request.wait();
    ASSERT_EQ(times.spans().size(), 2U);
    const CommSpan &first = times.spans()[0], &second = times.spans()[1];
    EXPECT_EQ(first.kind, CollectiveKind::all_reduce);
    EXPECT_EQ(first.axis, Axis::tp);
    EXPECT_LE(first.blocked_s, first.end_s - first.start_s);
    if (world.rank() == 0) {
      EXPECT_GT(first.blocked_s, 0.03);
    }
    EXPECT_GT(second.end_s - second.start_s, 0.055);
    EXPECT_LT(second.blocked_s, second.end_s - second.start_s - 0.03);
    EXPECT_NEAR(times.blocked_s()[static_cast<size_t>(Axis::tp)],
                first.blocked_s + second.blocked_s, 1e-12);
  });
}

TEST(Recording, AGroupOfOneIsNotRecorded) {
  Ledger ledger;
  const auto group = make_recording_communicator(make_self_communicator(), Axis::dp, &ledger);
  float value = 1;
  group->all_reduce({&value, 1, DType::fp32});
  EXPECT_TRUE(ledger.collectives.empty());
}

}  // namespace
}  // namespace argosy
