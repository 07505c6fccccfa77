// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/call_log.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "comm/groups.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// What travels to be compared: numbers of calls and their hashes, by axis.
struct Summary {
  std::array<int64_t, kNumAxes> num_calls{};
  std::array<uint64_t, kNumAxes> hash{};
};

Summary summarize(const CallLog& log) {
  Summary summary;
  for (int i = 0; i < kNumAxes; ++i) {
    const CallLog::Sequence& sequence = log[static_cast<Axis>(i)];
    summary.num_calls[static_cast<size_t>(i)] = sequence.num_calls;
    summary.hash[static_cast<size_t>(i)] = sequence.hash;
  }
  return summary;
}

// Values of all ranks, as int32 words: T is a plain struct of whole words.
template <typename T>
std::vector<T> gather(Communicator& world, const std::vector<T>& mine) {
  const auto words = static_cast<int64_t>(mine.size() * sizeof(T) / sizeof(int32_t));
  std::vector<T> all(mine.size() * static_cast<size_t>(world.size()));
  const std::vector<int64_t> counts(static_cast<size_t>(world.size()), words);
  world.all_gather({mine.data(), words, DType::int32},
                   {all.data(), words * world.size(), DType::int32}, counts);
  return all;
}

std::string describe(const CollectiveCall& call) {
  const std::string elements =
      call.kind == CollectiveKind::all_to_all ? "" : concat(call.count, " ");
  return concat(to_string(call.kind), " of ", elements, to_string(call.dtype));
}

// Ring slots of all ranks for one axis.
struct Slot {
  int64_t count = 0;
  int32_t kind = 0, dtype = 0;
};

std::vector<Slot> slots_of(const CallLog::Sequence& sequence) {
  std::vector<Slot> slots(CallLog::kKept);
  for (size_t i = 0; i < sequence.last.size(); ++i) {
    const CollectiveCall& call = sequence.last[i];
    slots[i] = {call.count, static_cast<int32_t>(call.kind), static_cast<int32_t>(call.dtype)};
  }
  return slots;
}

struct Disagreement {
  Axis axis = Axis::world;
  int64_t rank = 0, other = 0;  // world ranks of one group
};

// The first rank that called otherwise than the first of its group; false: none.
bool find_disagreement(const ProcessGroups& groups, const std::vector<Summary>& all,
                       Disagreement* found) {
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    if (axis == Axis::world) continue;
    for (int64_t rank = 0; rank < static_cast<int64_t>(all.size()); ++rank) {
      const int64_t leader = groups.members(axis, rank).front();
      const Summary &mine = all[static_cast<size_t>(rank)], &its = all[static_cast<size_t>(leader)];
      const auto a = static_cast<size_t>(i);
      if (mine.num_calls[a] == its.num_calls[a] && mine.hash[a] == its.hash[a]) continue;
      *found = {axis, leader, rank};
      return true;
    }
  }
  return false;
}

std::string name_of_group(const ProcessGroups& groups, const Disagreement& where) {
  std::string text = concat(to_string(where.axis), " group of ranks ");
  const std::vector<int64_t> members = groups.members(where.axis, where.rank);
  for (size_t i = 0; i < members.size(); ++i) text += concat(i > 0 ? ", " : "", members[i]);
  return text;
}

std::string explain(const ProcessGroups& groups, const Disagreement& where,
                    const std::vector<Summary>& all, const std::vector<Slot>& slots) {
  const auto axis = static_cast<size_t>(where.axis);
  const int64_t calls = all[static_cast<size_t>(where.rank)].num_calls[axis],
                other_calls = all[static_cast<size_t>(where.other)].num_calls[axis];
  const auto call_of = [&](int64_t rank, int64_t number) {
    const Slot& slot = slots[static_cast<size_t>(rank) * CallLog::kKept +
                             static_cast<size_t>(number) % CallLog::kKept];
    return CollectiveCall{static_cast<CollectiveKind>(slot.kind), static_cast<DType>(slot.dtype),
                          slot.count};
  };
  const std::string group = name_of_group(groups, where);
  const int64_t common = std::min(calls, other_calls),
                kept_from = std::max<int64_t>(
                    0, std::max(calls, other_calls) - static_cast<int64_t>(CallLog::kKept));
  for (int64_t number = kept_from; number < common; ++number) {
    const CollectiveCall a = call_of(where.rank, number), b = call_of(where.other, number);
    if (a == b) continue;
    return concat(group, ": call ", number, " is ", describe(a), " on rank ", where.rank, ", ",
                  describe(b), " on rank ", where.other);
  }
  if (calls == other_calls) {
    return concat(group, ": ranks ", where.rank, " and ", where.other,
                  " made different calls, longer ago than the ", CallLog::kKept, " that are kept");
  }
  const bool more_here = calls > other_calls;
  return concat(group, ": call ", common, ", ",
                describe(call_of(more_here ? where.rank : where.other, common)),
                ", was made on rank ", more_here ? where.rank : where.other, " alone, not on rank ",
                more_here ? where.other : where.rank);
}

}  // namespace

void CallLog::add(Axis axis, const CollectiveCall& call) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ULL;  // 2^64 / golden ratio
  Sequence& sequence = sequences_[static_cast<size_t>(axis)];
  const uint64_t words[] = {static_cast<uint64_t>(call.kind), static_cast<uint64_t>(call.dtype),
                            static_cast<uint64_t>(call.count)};
  for (const uint64_t word : words)
    sequence.hash = std::rotl((sequence.hash ^ (word + 1)) * kOdd, 29);
  const auto slot = static_cast<size_t>(sequence.num_calls++) % kKept;
  if (slot == sequence.last.size()) {
    sequence.last.push_back(call);
  } else {
    sequence.last[slot] = call;
  }
}

std::string mismatched_calls(const ProcessGroups& groups, const CallLog& log) {
  Communicator& world = groups.control();
  const std::vector<Summary> all = gather(world, std::vector<Summary>{summarize(log)});
  Disagreement where;
  if (!find_disagreement(groups, all, &where)) return "";
  return explain(groups, where, all, gather(world, slots_of(log[where.axis])));
}

}  // namespace argosy
