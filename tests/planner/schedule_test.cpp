// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Schedules: complete, free of deadlock, within their memory bounds; broken ones are refused.
#include "planner/spec/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr int kMaxStages = 8, kMaxMicrobatches = 17, kMaxVirtualStages = 4;

// Message of the std::logic_error that validate throws; empty: it accepts.
std::string refusal(const Schedule& schedule, bool with_backward = true) {
  try {
    validate(schedule, with_backward);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

void expect_refused(const Schedule& schedule, const std::string& rank, const std::string& action) {
  const std::string message = refusal(schedule);
  EXPECT_NE(message.find(rank), std::string::npos) << message;
  EXPECT_NE(message.find(action), std::string::npos) << message;
}

Action forward(int stage, int microbatch) {
  return {ActionKind::forward, stage, microbatch};
}

size_t position(const std::vector<Action>& actions, const std::string& text) {
  const auto found = std::find_if(actions.begin(), actions.end(),
                                  [&](const Action& action) { return to_string(action) == text; });
  EXPECT_NE(found, actions.end()) << text;
  return static_cast<size_t>(found - actions.begin());
}

TEST(Schedule, EveryScheduleValidates) {
  for (int ranks = 1; ranks <= kMaxStages; ++ranks) {
    for (int microbatches = 1; microbatches <= kMaxMicrobatches; ++microbatches) {
      for (const ScheduleKind kind :
           {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::zb_h1}) {
        EXPECT_EQ(refusal(build_schedule(kind, ranks, microbatches)), "")
            << to_string(kind) << ", " << ranks << " ranks, " << microbatches << " micro-batches";
      }
      EXPECT_EQ(refusal(build_schedule(ScheduleKind::zb_v, ranks, microbatches, 2)), "")
          << ranks << " ranks, " << microbatches << " micro-batches";
      EXPECT_EQ(refusal(add_transfers(forward_only(ranks, microbatches)), false), "");
      for (int virtual_stages = 1; virtual_stages <= kMaxVirtualStages; ++virtual_stages) {
        EXPECT_EQ(
            refusal(build_schedule(ScheduleKind::interleaved, ranks, microbatches, virtual_stages)),
            "")
            << ranks << " ranks, " << virtual_stages << " stages each, " << microbatches
            << " micro-batches";
      }
    }
  }
}

// Evaluation of a plan with several stages on a rank, going round or in a V.
TEST(Schedule, EveryEvaluationValidates) {
  for (const ScheduleKind kind : {ScheduleKind::interleaved, ScheduleKind::zb_v}) {
    for (int ranks = 1; ranks <= kMaxStages; ++ranks) {
      std::vector<int> rank_of_stage;
      for (int stage = 0; stage < 2 * ranks; ++stage) {
        rank_of_stage.push_back(static_cast<int>(pipeline_rank_of_stage(kind, ranks, stage)));
      }
      for (int microbatches = 1; microbatches <= kMaxMicrobatches; ++microbatches) {
        EXPECT_EQ(refusal(add_transfers(forward_only(rank_of_stage, microbatches)), false), "")
            << to_string(kind) << ", " << ranks << " ranks, " << microbatches << " micro-batches";
      }
    }
  }
}

TEST(Schedule, StagesGoRoundOrInAV) {
  EXPECT_EQ(interleaved(3, 2, 1).rank_of_stage, (std::vector<int>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(zb_v(3, 1).rank_of_stage, (std::vector<int>{0, 1, 2, 2, 1, 0}));
}

// Interleaved: what the warm-up and one forward more hold. Zero bubble: no rank holds more than
// rank 0 of 1F1B, p micro-batches, which are 2p passes of half the layers in the V.
TEST(Schedule, InFlightBoundsOfManyStages) {
  for (int p = 1; p <= kMaxStages; ++p) {
    for (int m = 1; m <= kMaxMicrobatches; ++m) {
      const int longest_group = (m + std::max(1, m / p) - 1) / std::max(1, m / p);
      for (int v = 2; v <= kMaxVirtualStages; ++v) {
        const std::vector<int> most = max_in_flight(interleaved(p, v, m));
        for (int rank = 0; rank < p; ++rank) {
          EXPECT_EQ(most[static_cast<size_t>(rank)],
                    std::min(m * v, 2 * (p - rank - 1) + (v - 1) * longest_group + 1));
        }
      }
      for (const int alive : max_in_flight(zb_h1(p, m))) EXPECT_LE(alive, std::min(p, m));
      for (const int alive : max_in_flight(zb_v(p, m))) EXPECT_LE(alive, 2 * std::min(p, m));
    }
  }
}

TEST(Schedule, InFlightBounds) {
  for (int stages = 1; stages <= kMaxStages; ++stages) {
    for (int microbatches = 1; microbatches <= kMaxMicrobatches; ++microbatches) {
      const auto all = max_in_flight(gpipe(stages, microbatches));
      const auto few =
          max_in_flight(build_schedule(ScheduleKind::one_f_one_b, stages, microbatches));
      const auto one = max_in_flight(forward_only(stages, microbatches));
      for (int rank = 0; rank < stages; ++rank) {
        const auto at = static_cast<size_t>(rank);
        EXPECT_EQ(all[at], microbatches);
        EXPECT_EQ(few[at], std::min(microbatches, stages - rank));
        EXPECT_EQ(one[at], 1);
      }
    }
  }
}

TEST(Schedule, OneFOneBByHand) {
  EXPECT_EQ(to_csv(one_f_one_b(2, 3)), "0F0,0F1,0B0,0F2,0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n");
  // Receives stand one compute ahead of their readers, sends directly behind their makers.
  EXPECT_EQ(to_csv(build_schedule(ScheduleKind::one_f_one_b, 2, 2)),
            "0F0,0SEND_F0,0RECV_B0,0F1,0SEND_F1,0RECV_B1,0B0,0B1\n"
            "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1\n");
  EXPECT_EQ(to_csv(gpipe(1, 2)), "0F0,0F1,0B0,0B1\n");
}

TEST(Schedule, InterleavedByHand) {
  EXPECT_EQ(to_csv(interleaved(2, 2, 2)),
            "0F0,0F1,2F0,2F1,2B0,2B1,0B0,0B1\n"
            "1F0,1F1,3F0,3B0,3F1,3B1,1B0,1B1\n");
  EXPECT_EQ(to_csv(interleaved(3, 1, 4)), to_csv(one_f_one_b(3, 4)));
}

TEST(Schedule, ZeroBubbleByHand) {
  EXPECT_EQ(to_csv(zb_h1(2, 3)),
            "0F0,0F1,0I0,0W0,0F2,0I1,0W1,0I2,0W2\n"
            "1F0,1I0,1F1,1I1,1W0,1F2,1I2,1W1,1W2\n");
  EXPECT_EQ(to_csv(zb_v(1, 1)), "0F0,1F0,1I0,1W0,0I0,0W0\n");
  // Between two stages of one rank there is nothing to send.
  const std::string turn = to_csv(build_schedule(ScheduleKind::zb_v, 2, 1, 2));
  EXPECT_EQ(turn,
            "3RECV_F0,0F0,0SEND_F0,3F0,3I0,3SEND_B0,0RECV_B0,3W0,0I0,0W0\n"
            "1RECV_F0,1F0,2RECV_B0,2F0,2SEND_F0,2I0,2W0,1I0,1SEND_B0,1W0\n");
}

void expect_round_trip(const Schedule& schedule, const std::string& what) {
  const Schedule read = parse_schedule_csv(to_csv(schedule));
  EXPECT_EQ(read.actions, schedule.actions) << what;
  EXPECT_EQ(read.rank_of_stage, schedule.rank_of_stage) << what;
  EXPECT_EQ(read.num_stages, schedule.num_stages) << what;
  EXPECT_EQ(read.num_microbatches, schedule.num_microbatches) << what;
  EXPECT_EQ(read.splits_backward, schedule.splits_backward) << what;
}

TEST(Schedule, CsvRoundTrip) {
  for (const ScheduleKind kind :
       {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
        ScheduleKind::zb_h1, ScheduleKind::zb_v}) {
    const bool is_interleaved = kind == ScheduleKind::interleaved;
    const int stages_of_rank = is_interleaved ? 3 : kind == ScheduleKind::zb_v ? 2 : 1;
    for (const int ranks : {1, 2, 5}) {
      for (const int microbatches : {1, 7, 12}) {
        const Schedule schedule = build_schedule(kind, ranks, microbatches, stages_of_rank);
        expect_round_trip(schedule, std::string(to_string(kind)));
        EXPECT_EQ(refusal(parse_schedule_csv(to_csv(schedule))), "") << to_string(kind);
      }
    }
  }
  expect_round_trip(add_transfers(forward_only(3, 4)), "evaluation");
  const Schedule compute = zb_v(3, 5);  // of a builder alone, and completed after reading
  expect_round_trip(compute, "compute only");
  EXPECT_EQ(add_transfers(parse_schedule_csv(to_csv(compute))).actions,
            build_schedule(ScheduleKind::zb_v, 3, 5, 2).actions);
  const Schedule spaced = parse_schedule_csv(" 0F0, ,0B0\r\n,1F0 , 1B0\n\n");  // idle slots
  EXPECT_EQ(to_csv(spaced), "0F0,0B0\n1F0,1B0\n");
}

TEST(Schedule, CsvMistakesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"0F0,0X1\n", "line 1, column 2: '0X1' is not an action"},
      {"0F0\n1F\n", "line 2, column 1: '1F'"},
      {"0F0, ,0F1,F0", "line 1, column 4: 'F0'"},  // idle slots count as columns
      {"0F0x", "'0F0x'"},
      {"0UNSHARD,0F0", "column 1: '0UNSHARD'"},  // PyTorch's, with no meaning here
      {"-1F0", "'-1F0'"},
      {"", "no actions"},
      {"0F0\n,0B0\n", "line 2, column 2: '0B0' but stage 0 is on line 1"},
      {"0F0,2F0\n", "line 1, column 2: '2F0' is out of range"},
      {"0F0,0B0,2F0\n", "stage 1"},
      {"0F2147483647", "0F2147483"}};
  for (const auto& [text, expected] : cases) {
    try {
      parse_schedule_csv(text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

TEST(Schedule, Prerequisites) {
  const Schedule schedule = build_schedule(ScheduleKind::gpipe, 2, 2);
  EXPECT_TRUE(prerequisites(forward(0, 1), schedule).empty());
  EXPECT_EQ(prerequisites(forward(1, 1), schedule),
            (std::vector<Action>{{ActionKind::recv_activation, 1, 1}}));
  EXPECT_EQ(prerequisites({ActionKind::backward, 0, 1}, schedule),
            (std::vector<Action>{{ActionKind::forward, 0, 1}, {ActionKind::recv_gradient, 0, 1}}));
  EXPECT_EQ(prerequisites({ActionKind::send_gradient, 1, 0}, schedule),
            (std::vector<Action>{{ActionKind::backward, 1, 0}}));
  EXPECT_TRUE(prerequisites({ActionKind::recv_activation, 1, 0}, schedule).empty());
}

TEST(Schedule, TwoStagesOnOneRankNeedNoTransfer) {
  Schedule schedule = gpipe(2, 2);
  schedule.rank_of_stage = {0, 0};
  schedule.actions = {parse_schedule_csv("0F0,1F0,0F1,1F1,1B0,0B0,1B1,0B1").actions[0]};
  EXPECT_EQ(to_csv(add_transfers(schedule)), to_csv(schedule));
  EXPECT_EQ(refusal(schedule), "");
  EXPECT_EQ(max_in_flight(schedule), std::vector<int>{4});
  std::swap(schedule.actions[0][0], schedule.actions[0][1]);
  expect_refused(schedule, "rank 0", "1F0");
}

class BrokenSchedule : public testing::Test {
 protected:
  Schedule schedule_ = build_schedule(ScheduleKind::one_f_one_b, 3, 4);
  std::vector<Action>& actions(size_t rank) { return schedule_.actions[rank]; }
  void swap(size_t rank, const std::string& a, const std::string& b) {
    std::swap(actions(rank)[position(actions(rank), a)], actions(rank)[position(actions(rank), b)]);
  }
  void erase(size_t rank, const std::string& action) {
    actions(rank).erase(actions(rank).begin() +
                        static_cast<std::ptrdiff_t>(position(actions(rank), action)));
  }
};

TEST_F(BrokenSchedule, SwappedActions) {
  swap(1, "1F0", "1SEND_F0");
  expect_refused(schedule_, "rank 1", "1SEND_F0");
}

TEST_F(BrokenSchedule, SwappedSends) {
  swap(0, "0SEND_F0", "0SEND_F1");
  EXPECT_NE(refusal(schedule_), "");
}

TEST_F(BrokenSchedule, ReceivesInAnotherOrder) {
  swap(1, "1RECV_F0", "1RECV_F1");
  expect_refused(schedule_, "rank 1", "1RECV_F1");
}

TEST_F(BrokenSchedule, MissingReceive) {
  erase(1, "1RECV_F2");
  expect_refused(schedule_, "rank 1", "1RECV_F2: is missing");
}

TEST_F(BrokenSchedule, MissingBackward) {
  erase(2, "2B3");
  expect_refused(schedule_, "rank 2", "2B3: is missing");
}

TEST_F(BrokenSchedule, Twice) {
  actions(0).push_back(forward(0, 3));
  expect_refused(schedule_, "rank 0", "0F3: occurs twice");
}

TEST_F(BrokenSchedule, OnTheWrongRank) {
  actions(0).push_back(forward(1, 3));
  expect_refused(schedule_, "rank 0", "1F3: the stage is on rank 1");
}

TEST_F(BrokenSchedule, UselessTransfer) {
  actions(0).push_back({ActionKind::recv_activation, 0, 0});
  expect_refused(schedule_, "rank 0", "0RECV_F0: has no use");
}

TEST_F(BrokenSchedule, UnknownMicrobatch) {
  actions(0).push_back(forward(0, 4));
  expect_refused(schedule_, "rank 0", "0F4: there is no such");
}

TEST_F(BrokenSchedule, WeightsBeforeInputs) {
  schedule_ = build_schedule(ScheduleKind::zb_h1, 3, 4);
  swap(0, "0I0", "0W0");
  expect_refused(schedule_, "rank 0", "0W0: waits forever for 0I0");
}

TEST_F(BrokenSchedule, ForgottenWeights) {
  schedule_ = build_schedule(ScheduleKind::zb_h1, 3, 4);
  erase(2, "2W3");
  expect_refused(schedule_, "rank 2", "2W3: is missing");
}

TEST_F(BrokenSchedule, HalfSplitBackward) {
  actions(0).push_back({ActionKind::backward_weight, 0, 3});
  expect_refused(schedule_, "rank 0", "0W3: has no use");
}

TEST_F(BrokenSchedule, BackwardInEvaluation) {
  EXPECT_NE(refusal(schedule_, false).find("0B0: has no use"), std::string::npos);
}

// Rank 0 wants the gradient of micro-batch 0 before it sends the input of micro-batch 1, rank 1
// wants that input before it works on the gradient: everyone waits for everyone.
TEST_F(BrokenSchedule, CyclicWait) {
  const Schedule cycle = parse_schedule_csv(
      "0F0,0SEND_F0,0RECV_B0,0B0,0F1,0SEND_F1,0RECV_B1,0B1\n"
      "1RECV_F0,1F0,1RECV_F1,1F1,1B0,1SEND_B0,1B1,1SEND_B1\n");
  expect_refused(cycle, "rank 0", "0B0: waits forever for 0RECV_B0 (deadlock)");
}

}  // namespace
}  // namespace argosy
