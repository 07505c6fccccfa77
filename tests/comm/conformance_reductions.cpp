// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <chrono>
#include <thread>

#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

template <typename T>
std::vector<T> summed(int size, int64_t count, int64_t first = 0) {
  std::vector<T> sums;
  for (int64_t i = 0; i < count; ++i) sums.push_back(sum_of_ranks<T>(size, first + i));
  return sums;
}

// Of element first + i the sum over the ranks: the bits of their order, or what another order may
// make of it, rounding after each addition.
template <typename T>
void expect_sums(Communicator& world, const std::vector<T>& actual, int64_t first,
                 const char* what) {
  const int size = world.size();
  const std::vector<T> expected = summed<T>(size, static_cast<int64_t>(actual.size()), first);
  if (world.sums_in_rank_order() || std::is_same_v<T, int32_t>) {
    return expect_same_bits(expected, actual, what);
  }
  const double unit = std::is_same_v<T, double>  ? 0x1p-53
                      : std::is_same_v<T, float> ? 0x1p-24
                                                 : 0x1p-8;
  for (size_t i = 0; i < expected.size(); ++i) {
    double magnitude = 0;
    for (int rank = 0; rank < size; ++rank) {
      magnitude +=
          std::abs(static_cast<double>(value_of<T>(rank, first + static_cast<int64_t>(i))));
    }
    ASSERT_NEAR(static_cast<double>(actual[i]), static_cast<double>(expected[i]),
                2.0 * size * unit * magnitude)
        << what << ": element " << i;
  }
}

}  // namespace

void check_all_reduce_adds_in_rank_order(Communicator& world) {
  for_each_dtype([&]<typename T>() {
    for (const int64_t count : interesting_counts()) {
      std::vector<T> values = values_of<T>(world.rank(), count);
      world.all_reduce(buffer_of(values));
      expect_sums(world, values, 0, "all_reduce");
    }
  });
}

void check_all_reduce_max(Communicator& world) {
  for_each_dtype([&]<typename T>() {
    for (const int64_t count : {int64_t{1}, int64_t{4099}, int64_t{65537}}) {
      std::vector<T> values = values_of<T>(world.rank(), count), expected = values_of<T>(0, count);
      for (int rank = 1; rank < world.size(); ++rank) {
        const std::vector<T> theirs = values_of<T>(rank, count);
        for (size_t i = 0; i < expected.size(); ++i) {
          if (expected[i] < theirs[i]) expected[i] = theirs[i];
        }
      }
      world.all_reduce(buffer_of(values), ReduceOp::max);
      expect_same_bits(expected, values, "max");
    }
  });
  // A NaN of any rank is seen by all.
  std::vector<float> values(3, static_cast<float>(world.rank()));
  if (world.rank() == world.size() - 1) values[1] = std::nanf("");
  world.all_reduce(buffer_of(values), ReduceOp::max);
  if (world.sums_in_rank_order()) {
    EXPECT_TRUE(std::isnan(values[1]));
  }
  EXPECT_EQ(values[2], static_cast<float>(world.size() - 1));
}

void check_reduce_scatter_ragged(Communicator& world) {
  const auto self = static_cast<size_t>(world.rank());
  for_each_dtype([&]<typename T>() {
    for (const int64_t scale : {int64_t{0}, int64_t{1}, int64_t{1021}, int64_t{300007}}) {
      const std::vector<int64_t> counts = ragged_counts(world.size(), scale);
      const std::vector<int64_t> offsets = offsets_of(counts);
      const std::vector<T> input = values_of<T>(world.rank(), offsets.back());
      std::vector<T> output(static_cast<size_t>(counts[self]));
      world.reduce_scatter(buffer_of(input), buffer_of(output), counts);
      expect_sums(world, output, offsets[self], "reduce_scatter");
      expect_same_bits(values_of<T>(world.rank(), offsets.back()), input, "its input");
    }
  });
}

void check_reduce_scatter_in_place(Communicator& world) {
  const auto self = static_cast<size_t>(world.rank());
  const std::vector<int64_t> counts = ragged_counts(world.size(), 300007);
  const std::vector<int64_t> offsets = offsets_of(counts);
  std::vector<float> values = values_of<float>(world.rank(), offsets.back());
  world.reduce_scatter(buffer_of(values),
                       {values.data() + offsets[self], counts[self], DType::fp32}, counts);
  const auto begin = values.begin() + offsets[self];
  expect_sums(world, std::vector<float>(begin, begin + counts[self]), offsets[self],
              "reduce_scatter in place");
}

// 1 + (n - 1) * 2^-8 in bf16, whose spacing at 1 is 2^-7: rounding after each addition would stay
// at 1 for ever, since the half-way case goes to even.
void check_bf16_is_rounded_once(Communicator& world) {
  for (const int64_t count : {int64_t{3}, int64_t{70001}}) {  // the small and the large algorithm
    const bfloat16 value(world.rank() == 0 ? 1.0f : std::ldexp(1.0f, -8));
    std::vector<bfloat16> values(static_cast<size_t>(count), value);
    world.all_reduce(buffer_of(values));
    const bfloat16 expected(1.0f + static_cast<float>(world.size() - 1) * std::ldexp(1.0f, -8));
    if (world.sums_in_rank_order()) {
      for (const bfloat16 v : values) ASSERT_EQ(v.bits, expected.bits);
    }
  }
}

// Late ranks change nothing: the same bits again and again, and the same on every rank.
void check_results_repeat(Communicator& world) {
  const int64_t count = 20011;
  std::vector<float> first;
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::vector<float> values = values_of<float>(world.rank(), count);
    std::this_thread::sleep_for(std::chrono::milliseconds((world.rank() + repeat) % 3));
    world.all_reduce(buffer_of(values));
    if (repeat == 0) first = values;
    expect_same_bits(first, values, "repeated all_reduce");
  }
  std::vector<float> of_rank_0 = first;
  world.broadcast(buffer_of(of_rank_0), 0);
  expect_same_bits(of_rank_0, first, "all_reduce on another rank");
}

}  // namespace argosy
