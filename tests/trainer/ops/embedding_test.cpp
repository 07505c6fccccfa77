// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/embedding.h"

#include <map>
#include <utility>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Embedding : public OpTest {};

TEST_F(Embedding, LooksUpItsOwnRowsAndZerosTheOthers) {
  for (DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Tensor table = make({3, 2}, dtype, {1, 2, 3, 4, 5, 6});  // ids 10, 11, 12
    const Tensor y = poisoned({5, 2}, dtype);
    embedding_forward(ctx, ids({5}, {12, 9, 10, 13, -1}), table, 10, y);
    EXPECT_EQ(values_of(y), Values({5, 6, 0, 0, 1, 2, 0, 0, 0, 0}));
  }
}

TEST_F(Embedding, SplitTableSumsToTheWhole) {
  const Tensor table = random({7, 5}, DType::fp64, 1), tokens = ids({6}, {0, 6, 3, 3, 2, 4});
  const Tensor whole = poisoned({6, 5}, DType::fp64), part = poisoned({6, 5}, DType::fp64);
  embedding_forward(ctx, tokens, table, 0, whole);
  Values sum(30, 0.0);
  for (auto [begin, end] : {std::pair{0, 3}, std::pair{3, 3}, std::pair{3, 7}}) {
    embedding_forward(ctx, tokens, table.rows(begin, end), begin, part);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += values_of(part)[i];
  }
  EXPECT_EQ(sum, values_of(whole));
}

TEST_F(Embedding, BackwardMatchesFiniteDifferences) {
  const Tensor table = random({4, 3}, DType::fp64, 1), dy = random({5, 3}, DType::fp64, 2);
  const Tensor tokens = ids({5}, {1, 3, 1, 9, 0}), y = poisoned({5, 3}, DType::fp64);
  const Tensor dtable = make({4, 3}, DType::fp64, Values(12, 0.0));
  embedding_backward(ctx, dy, tokens, 0, dtable);
  expect_gradient(table, values_of(dtable), [&] {
    embedding_forward(ctx, tokens, table, 0, y);
    return dot(values_of(y), values_of(dy));
  });
}

TEST_F(Embedding, BackwardAddsAndDoesNotDependOnThreads) {
  const int64_t rows = 300, cols = 257;
  const Tensor dy = random({rows, cols}, DType::bf16, 3);
  Values tokens(static_cast<size_t>(rows));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<double>(i % 5);
  const Tensor id = ids({rows}, tokens);
  expect_same_on_any_threads([&] {
    const Tensor dtable = make({5, cols}, DType::fp32, Values(5 * cols, 0.25));
    embedding_backward(ctx, dy, id, 0, dtable);
    EXPECT_NE(values_of(dtable)[0], 0.25);
    return values_of(dtable);
  });
}

// Ids of several digits, some of which other ranks have: each sum in the order of its rows, to the
// bit.
TEST_F(Embedding, BackwardAddsTheRowsOfAnIdInTheirOrder) {
  const int64_t rows = 1500, cols = 33, vocab = 70000, first = 1000;
  Values tokens(static_cast<size_t>(rows));
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] =
        i % 3 == 0 ? 65536.0 + static_cast<double>(i % 7) : static_cast<double>(i * 9973 % 72000);
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    const Tensor dy = random({rows, cols}, dtype, 3), id = ids({rows}, tokens);
    const Values addends = values_of(dy);
    std::map<std::pair<int64_t, size_t>, float> expected;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const int64_t row = static_cast<int64_t>(tokens[i]) - first;
      if (row < 0 || row >= vocab) continue;
      for (size_t c = 0; c < static_cast<size_t>(cols); ++c) {
        float& sum = expected.try_emplace({row, c}, 0.25f).first->second;
        sum += static_cast<float>(addends[i * static_cast<size_t>(cols) + c]);
      }
    }
    expect_same_on_any_threads([&] {
      const Tensor dtable = filled(ctx, {vocab, cols}, DType::fp32, 0.25);
      embedding_backward(ctx, dy, id, first, dtable);
      const auto* sums = dtable.data<float>();
      int64_t changed = 0;
      for (int64_t i = 0; i < dtable.size(); ++i) changed += sums[i] != 0.25f ? 1 : 0;
      EXPECT_LE(changed, static_cast<int64_t>(expected.size()));
      Values result;
      for (const auto& [at, sum] : expected) {
        result.push_back(sums[at.first * cols + static_cast<int64_t>(at.second)]);
        EXPECT_EQ(result.back(), sum);
      }
      return result;
    });
  }
}

TEST_F(Embedding, PositionsAreLookedUpAndGiveTheirGradient) {
  const Tensor table = random({4, 2}, DType::fp64, 1), start = random({5, 2}, DType::fp64, 2);
  const Tensor y = make({5, 2}, DType::fp64, values_of(start));
  const Tensor at = ids({5}, {2, 0, 1, 2, 0});
  add_positions(ctx, table, at, y);
  Values expected = values_of(start);
  const Values positions = values_of(table);
  for (size_t i = 0; i < 5; ++i) {
    for (size_t c = 0; c < 2; ++c) expected[i * 2 + c] += positions[(i + 2) % 3 * 2 + c];
  }
  EXPECT_EQ(values_of(y), expected);

  const Tensor dy = random({5, 2}, DType::fp64, 3);
  const Tensor dtable = make({4, 2}, DType::fp64, Values(8, 0.0));
  positions_backward(ctx, dy, at, dtable);
  expect_gradient(table, values_of(dtable), [&] {
    const Tensor out = make({5, 2}, DType::fp64, values_of(start));
    add_positions(ctx, table, at, out);
    return dot(values_of(out), values_of(dy));
  });
}

TEST_F(Embedding, EmptyInputsAreFine) {
  const Tensor table = random({3, 2}, DType::fp32, 1), none = ids({0}, {});
  const Tensor y = poisoned({0, 2}, DType::fp32), dtable = poisoned({0, 2}, DType::fp32);
  embedding_forward(ctx, none, table, 0, y);
  embedding_backward(ctx, y, none, 0, dtable);
  const Tensor row = poisoned({1, 2}, DType::fp32);
  embedding_forward(ctx, ids({1}, {0}), table.rows(0, 0), 0, row);  // a rank without vocabulary
  EXPECT_EQ(values_of(row), Values({0, 0}));
}

TEST_F(Embedding, RefusesShapesThatDoNotFit) {
  const Tensor table = random({3, 2}, DType::fp32, 1);
  const Tensor tokens = ids({1}, {0});
  EXPECT_THROW(embedding_forward(ctx, tokens, table, 0, poisoned({1, 3}, DType::fp32)),
               std::logic_error);
  EXPECT_THROW(embedding_forward(ctx, tokens, table, 0, poisoned({1, 2}, DType::bf16)),
               std::logic_error);
  EXPECT_THROW(add_positions(ctx, table, ids({1}, {3}), poisoned({1, 2}, DType::fp32)),
               std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
