// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The order of samples: a permutation of an epoch that is computed, not stored. A Feistel network
// is a bijection of 2^b values whatever its round function is (Luby and Rackoff, SIAM J. Comput.
// 1988); walking its cycle until the value is below n makes it one of n values (Black and Rogaway,
// CT-RSA 2002). O(1) memory, and any rank can ask for any sample at any time.
#include <algorithm>
#include <bit>

#include "planner/spec/check.h"
#include "planner/spec/philox.h"
#include "trainer/data/dataset.h"

namespace argosy {

namespace {

constexpr int kFeistelRounds = 6;  // 4 hide the structure from an adversary, 2 more are free

// One application to `value` < 2^(2*half_bits), both halves half_bits wide.
uint64_t feistel(uint64_t value, int half_bits, uint64_t key) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = value >> half_bits, right = value & mask;
  for (uint64_t round = 0; round < kFeistelRounds; ++round) {
    const uint64_t mixed = left ^ (philox(key, right, round)[0] & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits | right;
}

// Image of `index` under the permutation of [0, size) that `key` names.
uint64_t permute(uint64_t index, uint64_t size, uint64_t key) {
  const int bits = std::bit_width(size - 1);          // of the largest index
  const int half_bits = std::max(1, (bits + 1) / 2);  // the domain is at most 4 * size: short walks
  uint64_t value = index;
  do {
    value = feistel(value, half_bits, key);
  } while (value >= size);
  return value;
}

// Of all samples since step 1.
int64_t sample_number(int64_t step, int64_t slot, int64_t global_batch) {
  CHECK(step >= 1 && slot >= 0 && slot < global_batch, "step ", step, ", slot ", slot, " of ",
        global_batch);
  return (step - 1) * global_batch + slot;
}

}  // namespace

SampleOrder::SampleOrder(int64_t num_tokens, int64_t seq_len, uint64_t seed,
                         const std::string& where)
    : seq_len_(seq_len), seed_(seed) {
  CHECK(seq_len >= 1, "seq_len = ", seq_len);
  if (num_tokens < seq_len + 1) {
    throw ConfigError(concat(where, ": holds ", num_tokens, " tokens, one sample needs ",
                             seq_len + 1, " (sequence length ", seq_len,
                             " and the last target); give more data or a shorter sequence"));
  }
  num_samples_ = (num_tokens - 1) / seq_len;
}

int64_t SampleOrder::epoch(int64_t step, int64_t slot, int64_t global_batch) const {
  return sample_number(step, slot, global_batch) / num_samples_;
}

int64_t SampleOrder::first_token(int64_t step, int64_t slot, int64_t global_batch) const {
  const int64_t number = sample_number(step, slot, global_batch);
  const auto epoch = static_cast<uint64_t>(number / num_samples_);
  const auto index = static_cast<uint64_t>(number % num_samples_);
  const uint64_t key = random_bits(seed_, hash_name("data order"), epoch);
  uint64_t sample = permute(index, static_cast<uint64_t>(num_samples_), key);
  if (num_drawn_ > 0) {
    const uint64_t key_of_draw = random_bits(seed_, hash_name("held-out samples"), 0);
    sample = permute(static_cast<uint64_t>(first_place_) + sample,
                     static_cast<uint64_t>(num_drawn_), key_of_draw);
  }
  return static_cast<int64_t>(sample) * seq_len_;
}

SampleOrder::Split SampleOrder::hold_out(int64_t num_held_out) const {
  CHECK(num_drawn_ == 0 && num_held_out > 0 && num_held_out < num_samples_, num_held_out, " of ",
        num_samples_, " samples held out");
  Split split{*this, *this};
  split.training.num_drawn_ = split.held_out.num_drawn_ = num_samples_;
  split.held_out.num_samples_ = num_held_out;
  split.training.num_samples_ = num_samples_ - num_held_out;
  split.training.first_place_ = num_held_out;
  return split;
}

Batch read_batch(const TokenSource& source, const SampleOrder& order, int64_t step,
                 int64_t first_slot, int64_t count, int64_t seq_len, int64_t global_batch,
                 Epochs epochs) {
  constexpr int32_t kMasked = -1;  // cross entropy leaves these positions out
  const bool knows_documents = source.knows_documents();
  Batch batch;
  batch.inputs.reserve(static_cast<size_t>(count * seq_len));   // (count, seq_len)
  batch.targets.reserve(static_cast<size_t>(count * seq_len));  // (count, seq_len)
  for (int64_t slot = first_slot; slot < first_slot + count; ++slot) {
    const int64_t first = order.first_token(step, slot, global_batch);
    const bool counts = epochs == Epochs::all || order.epoch(step, slot, global_batch) == 0;
    for (int64_t position = first; position < first + seq_len; ++position) {
      batch.inputs.push_back(source.token(position));
      const int64_t next = position + 1;
      if (knows_documents) {
        batch.begins_document.push_back(source.begins_document(position));
        batch.ends_document.push_back(source.begins_document(next));
      }
      batch.targets.push_back(counts && source.is_target(next) ? source.token(next) : kMasked);
    }
  }
  return batch;
}

}  // namespace argosy
