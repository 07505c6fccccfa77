// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/call_log.h"

#include <gtest/gtest.h>

#include <mutex>

#include "comm/groups.h"
#include "comm/thread/thread_communicator.h"

namespace argosy {
namespace {

constexpr CollectiveCall kReduce{CollectiveKind::all_reduce, DType::fp32, 512};
constexpr CollectiveCall kGather{CollectiveKind::all_gather, DType::fp32, 512};

// What mismatched_calls() says on every rank of a tp=2, dp=2 mesh when `log` fills each rank's log.
std::string mismatch(const std::function<void(int rank, CallLog& log)>& fill) {
  std::mutex mutex;
  std::vector<std::string> texts;
  run_on_threads(4, [&](Communicator& world) {
    const ProcessGroups groups(world, {.tp = 2, .dp = 2}, 2);
    CallLog log;
    fill(world.rank(), log);
    const std::string text = mismatched_calls(groups, log);
    const std::lock_guard lock(mutex);
    texts.push_back(text);
  });
  for (const std::string& text : texts) EXPECT_EQ(text, texts.front()) << "ranks must agree";
  return texts.front();
}

TEST(CallLog, EqualCallsAreFine) {
  EXPECT_EQ(mismatch([](int, CallLog& log) {
              for (int i = 0; i < 3000; ++i) log.add(Axis::tp, i % 3 == 0 ? kReduce : kGather);
            }),
            "");
}

TEST(CallLog, GroupsMayDiffer) {
  EXPECT_EQ(
      mismatch([](int rank, CallLog& log) { log.add(Axis::tp, rank < 2 ? kReduce : kGather); }),
      "");
}

TEST(CallLog, NamesTheFirstDifference) {
  const std::string text = mismatch([](int rank, CallLog& log) {
    for (int i = 0; i < 20; ++i) log.add(Axis::tp, kReduce);
    log.add(Axis::tp, rank == 3 ? kGather : kReduce);
    for (int i = 0; i < 20; ++i) log.add(Axis::tp, rank == 3 ? kGather : kReduce);
  });
  EXPECT_EQ(text,
            "tp group of ranks 2, 3: call 20 is all_reduce of 512 fp32 on rank 2, all_gather of "
            "512 fp32 on rank 3");
}

TEST(CallLog, NamesACallThatOneRankLeftOut) {
  const std::string text = mismatch([](int rank, CallLog& log) {
    for (int i = 0; i < (rank == 1 ? 7 : 8); ++i) log.add(Axis::dp_cp, kReduce);
  });
  EXPECT_EQ(text,
            "dp_cp group of ranks 1, 3: call 7, all_reduce of 512 fp32, was made on rank 3 alone, "
            "not on rank 1");
}

TEST(CallLog, ForgetsWhatIsLongAgoButKnowsThatItWas) {
  const std::string text = mismatch([](int rank, CallLog& log) {
    log.add(Axis::tp, rank == 0 ? kGather : kReduce);
    for (int i = 0; i < 2000; ++i) log.add(Axis::tp, kReduce);
  });
  EXPECT_NE(text.find("longer ago than the 1000 that are kept"), text.npos) << text;
}

TEST(CallLog, RecordsWhatCommunicatorsDo) {
  run_on_threads(2, [](Communicator& world) {
    ProcessGroups groups(world, {.dp = 2}, 0);
    CallLog log;
    groups.set_calls(&log);
    float value = 1;
    groups[Axis::dp_cp].all_reduce({&value, 1, DType::fp32});
    if (world.rank() == 0) groups[Axis::dp_cp].send({&value, 1, DType::fp32}, 1, 0);
    if (world.rank() == 1) groups[Axis::dp_cp].recv({&value, 1, DType::fp32}, 0, 0);
    EXPECT_EQ(log[Axis::dp_cp].num_calls, 1) << "sends and receives are not collective";
    EXPECT_EQ(log[Axis::dp_cp].last.front(),
              (CollectiveCall{CollectiveKind::all_reduce, DType::fp32, 1}));
    EXPECT_EQ(mismatched_calls(groups, log), "");
  });
}

}  // namespace
}  // namespace argosy
