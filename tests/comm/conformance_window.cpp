// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <limits>

#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

// Numbers of all sizes, and what arithmetic makes of the special ones: bits show the order.
template <typename T>
std::vector<T> rough_values(int rank, int64_t count) {
  std::vector<T> values = values_of<T>(rank, count);
  if constexpr (!std::is_same_v<T, int32_t>) {
    using Limit = std::numeric_limits<float>;
    for (int64_t i = 0; i < count; i += 97) {
      const float specials[] = {
          Limit::infinity(), -Limit::infinity(), Limit::max(), Limit::denorm_min(), -0.0f, 0.0f};
      values[static_cast<size_t>(i)] = T(specials[(i / 97 + rank) % 6]);
    }
  }
  return values;
}

template <typename T>
void compare_reductions(Communicator& window, Communicator& messages, int64_t count) {
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
    std::vector<T> a = rough_values<T>(window.rank(), count), b = a;
    window.all_reduce(buffer_of(a), op);
    messages.all_reduce(buffer_of(b), op);
    expect_same_bits(b, a, "all_reduce");
  }
  const std::vector<int64_t> counts = ragged_counts(window.size(), count / window.size());
  const std::vector<T> input = rough_values<T>(window.rank(), offsets_of(counts).back());
  const auto own = static_cast<size_t>(counts[static_cast<size_t>(window.rank())]);
  std::vector<T> a(own), b(own);
  window.reduce_scatter(buffer_of(input), buffer_of(a), counts);
  messages.reduce_scatter(buffer_of(input), buffer_of(b), counts);
  expect_same_bits(b, a, "reduce_scatter");
}

}  // namespace

void check_same_bits(Communicator& window, Communicator& messages) {
  ASSERT_EQ(window.route().shares_memory, window.size() > 1) << window.route().obstacle;
  ASSERT_FALSE(messages.route().shares_memory);
  for (const int64_t count : interesting_counts()) {
    for_each_dtype([&]<typename T>() { compare_reductions<T>(window, messages, count); });
  }
}

}  // namespace argosy
