// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/exchange.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// A string as int32 words, the smallest type that communicators carry: its length in bytes (two
// words), then the bytes, filled up with zeros.
std::vector<int32_t> pack(const std::string& text) {
  constexpr size_t word_bytes = sizeof(int32_t);
  std::vector<int32_t> words(2 + (text.size() + word_bytes - 1) / word_bytes, 0);
  const uint64_t length = text.size();
  std::memcpy(words.data(), &length, sizeof length);
  if (!text.empty()) std::memcpy(words.data() + 2, text.data(), text.size());
  return words;
}

std::string unpack(const int32_t* words) {
  uint64_t length = 0;
  std::memcpy(&length, words, sizeof length);
  return std::string(reinterpret_cast<const char*>(words + 2), length);
}

std::vector<std::string> unpack_all(const std::vector<int32_t>& words,
                                    const std::vector<int64_t>& counts) {
  std::vector<std::string> texts;
  const int32_t* next = words.data();
  for (int64_t count : counts) {
    texts.push_back(unpack(next));
    next += count;
  }
  return texts;
}

// Every rank's number of words.
std::vector<int64_t> gather_counts(Communicator& world, size_t num_words) {
  CHECK(num_words <= INT32_MAX, "a text of ", num_words, " words");
  const auto mine = static_cast<int32_t>(num_words);
  std::vector<int32_t> counts(static_cast<size_t>(world.size()));
  const std::vector<int64_t> ones(counts.size(), 1);
  world.all_gather(ConstBuffer(&mine, 1, DType::int32),
                   Buffer{counts.data(), world.size(), DType::int32}, ones);
  return {counts.begin(), counts.end()};
}

int64_t sum(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

}  // namespace

std::vector<std::string> gather_strings(Communicator& world, const std::string& text) {
  const std::vector<int32_t> mine = pack(text);
  const std::vector<int64_t> counts = gather_counts(world, mine.size());
  std::vector<int32_t> all(static_cast<size_t>(sum(counts)));
  world.all_gather(ConstBuffer(mine.data(), static_cast<int64_t>(mine.size()), DType::int32),
                   Buffer{all.data(), static_cast<int64_t>(all.size()), DType::int32}, counts);
  return unpack_all(all, counts);
}

std::vector<std::string> gather_strings_at_root(Communicator& world, const std::string& text) {
  const std::vector<int32_t> mine = pack(text);
  const std::vector<int64_t> counts = gather_counts(world, mine.size());
  const std::vector<int64_t> none(counts.size(), 0);
  std::vector<int64_t> send_counts = none;
  send_counts[0] = static_cast<int64_t>(mine.size());
  const std::vector<int64_t>& recv_counts = world.rank() == 0 ? counts : none;
  std::vector<int32_t> all(static_cast<size_t>(sum(recv_counts)));
  world.all_to_all(ConstBuffer(mine.data(), static_cast<int64_t>(mine.size()), DType::int32),
                   send_counts, Buffer{all.data(), static_cast<int64_t>(all.size()), DType::int32},
                   recv_counts);
  return world.rank() == 0 ? unpack_all(all, counts) : std::vector<std::string>{};
}

std::string broadcast_string(Communicator& world, const std::string& text) {
  std::vector<int32_t> words;
  if (world.rank() == 0) words = pack(text);
  const std::vector<int64_t> counts = gather_counts(world, words.size());
  words.resize(static_cast<size_t>(counts[0]));
  world.broadcast(Buffer{words.data(), counts[0], DType::int32}, 0);
  return unpack(words.data());
}

Outcome attempt(const std::function<void()>& action) {
  try {
    action();
    return {};
  } catch (const ConfigError& e) {
    return {.kind = Outcome::Kind::config_error, .message = e.what()};
  } catch (const std::exception& e) {
    return {.kind = Outcome::Kind::error, .message = e.what()};
  }
}

Outcome agree(Communicator& world, const Outcome& mine) {
  const char kind = static_cast<char>('0' + static_cast<int>(mine.kind));
  const std::vector<std::string> all = gather_strings(world, kind + mine.message);
  std::vector<size_t> failed;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] != "0") failed.push_back(rank);
  }
  if (failed.empty()) return {};
  const std::string& first = all[failed[0]];
  const auto num_same = static_cast<size_t>(std::count(all.begin(), all.end(), first));
  // What failed alike everywhere is no rank's fault.
  const std::string rank = num_same == all.size() ? "" : concat("rank ", failed[0], ": ");
  const std::string more = num_same == failed.size()
                               ? ""
                               : concat(" (", failed.size(), " ranks failed; this is the first)");
  return {static_cast<Outcome::Kind>(first[0] - '0'), rank + first.substr(1) + more,
          /*on_all_ranks=*/true};
}

void throw_if_failed(const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::config_error) {
    if (outcome.on_all_ranks) throw AgreedConfigError(outcome.message);
    throw ConfigError(outcome.message);
  }
  if (outcome.kind == Outcome::Kind::error) throw Error(outcome.message);
}

}  // namespace argosy
