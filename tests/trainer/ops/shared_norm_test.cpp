// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows cut into the columns of ranks, sums added here: the parts are those of one norm over the
// whole row.
#include "trainer/ops/shared_norm.h"

#include "tests/trainer/ops/ops_support.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/norm.h"

namespace argosy {
namespace {

constexpr int64_t kRowCount = 67;  // more than two blocks
constexpr double kEps = 1e-3;

// Columns [begin, end) of (rows, width) values.
Values columns_of(const Values& x, int64_t width, int64_t begin, int64_t end) {
  Values part;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) % width;
    if (c >= begin && c < end) part.push_back(x[i]);
  }
  return part;
}

struct Rank {
  int64_t begin, end;
  Tensor x, dy, gain, sums, dgain;
};

struct Row {
  int64_t width;
  Values x, dy, gain, old_dgain;
};

Rank rank_of(DeviceContext& ctx, const Row& row, DType dtype, DType statistic, int64_t begin,
             int64_t end) {
  const int64_t cols = end - begin;
  return {begin,
          end,
          make(ctx, {kRowCount, cols}, dtype, columns_of(row.x, row.width, begin, end)),
          make(ctx, {kRowCount, cols}, dtype, columns_of(row.dy, row.width, begin, end)),
          make(ctx, {cols}, dtype, columns_of(row.gain, row.width, begin, end)),
          filled(ctx, {kRowCount}, statistic, kPoison),
          make(ctx, {cols}, statistic, columns_of(row.old_dgain, row.width, begin, end))};
}

// What an all-reduce does.
void sum_over(DeviceContext& ctx, const std::vector<Rank>& ranks) {
  for (size_t i = 1; i < ranks.size(); ++i) ops::add(ctx, ranks[i].sums, ranks[0].sums);
  for (size_t i = 1; i < ranks.size(); ++i) ops::copy(ctx, ranks[0].sums, ranks[i].sums);
}

class SharedNorm : public testing::TestWithParam<DType> {};

TEST_P(SharedNorm, PartsAreThoseOfOneNorm) {
  const DType dtype = GetParam(), statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
  const double tolerance = tolerance_of(dtype);
  DeviceContext ctx(Device::cpu);
  for (const std::vector<int64_t>& cuts :
       {std::vector<int64_t>{0, 5}, {0, 48, 96}, {0, 1, 34, 65, 100}}) {
    const int64_t width = cuts.back();
    const Row row{width, random_values(kRowCount * width, 1), random_values(kRowCount * width, 2),
                  random_values(width, 3), random_values(width, 4)};
    const Rank whole = rank_of(ctx, row, dtype, statistic, 0, width);
    const Tensor y = filled(ctx, whole.x.shape(), dtype, kPoison);
    const Tensor dx = filled(ctx, whole.x.shape(), dtype, kPoison);
    ops::rms_norm_forward(ctx, whole.x, whole.gain, kEps, y, whole.sums);
    ops::rms_norm_backward(ctx, whole.dy, whole.x, whole.gain, whole.sums, dx, whole.dgain, false);

    std::vector<Rank> ranks;
    for (size_t i = 0; i + 1 < cuts.size(); ++i)
      ranks.push_back(rank_of(ctx, row, dtype, statistic, cuts[i], cuts[i + 1]));
    for (const Rank& rank : ranks) ops::row_squares(ctx, rank.x, rank.sums);
    sum_over(ctx, ranks);
    std::vector<Tensor> inverse;
    inverse.reserve(ranks.size());
    for (const Rank& rank : ranks) {
      ops::inverse_rms(ctx, rank.sums, width, kEps);
      EXPECT_LE(relative_error(values_of(rank.sums), values_of(whole.sums)), tolerance);
      inverse.push_back(make(ctx, {kRowCount}, statistic, values_of(rank.sums)));
    }
    for (size_t i = 0; i < ranks.size(); ++i) {
      const Rank& r = ranks[i];
      ops::row_projections(ctx, r.dy, r.x, r.gain, inverse[i], r.sums);
    }
    sum_over(ctx, ranks);
    for (size_t i = 0; i < ranks.size(); ++i) {
      const Rank& r = ranks[i];
      ops::shared_rms_norm_backward(ctx, r.dy, r.x, r.gain, inverse[i], r.sums, width, r.dy,
                                    r.dgain);
      EXPECT_LE(relative_error(values_of(r.dy), columns_of(values_of(dx), width, r.begin, r.end)),
                2 * tolerance);
      EXPECT_LE(relative_error(values_of(r.dgain),
                               columns_of(values_of(whole.dgain), width, r.begin, r.end)),
                tolerance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, SharedNorm, testing::Values(DType::fp64, DType::fp32, DType::bf16),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(SharedNormOps, GradientsOfTheGainMayBeLeftOut) {
  DeviceContext ctx(Device::cpu);
  const Row row{6, random_values(kRowCount * 6, 1), random_values(kRowCount * 6, 2),
                random_values(6, 3), random_values(6, 4)};
  const Rank with = rank_of(ctx, row, DType::fp64, DType::fp64, 0, 6);
  const Rank without = rank_of(ctx, row, DType::fp64, DType::fp64, 0, 6);
  const Tensor inverse = make(ctx, {kRowCount}, DType::fp64, random_values(kRowCount, 5));
  const Tensor sums = make(ctx, {kRowCount}, DType::fp64, random_values(kRowCount, 6));
  for (const Rank* rank : {&with, &without}) {
    ops::shared_rms_norm_backward(ctx, rank->dy, rank->x, rank->gain, inverse, sums, 12, rank->dy,
                                  rank == &with ? rank->dgain : Tensor());
  }
  EXPECT_EQ(values_of(with.dy), values_of(without.dy));
  EXPECT_EQ(values_of(without.dgain), row.old_dgain);
}

TEST(SharedNormOps, ThreadsChangeNoBit) {
  expect_same_on_any_threads([] {
    DeviceContext ctx(Device::cpu);
    const int64_t rows = 512, cols = 320;
    const Tensor x = make(ctx, {rows, cols}, DType::fp32, random_values(rows * cols, 1));
    const Tensor dy = make(ctx, {rows, cols}, DType::fp32, random_values(rows * cols, 2));
    const Tensor gain = make(ctx, {cols}, DType::fp32, random_values(cols, 3));
    const Tensor inverse = filled(ctx, {rows}, DType::fp32, kPoison);
    const Tensor sums = filled(ctx, {rows}, DType::fp32, kPoison);
    const Tensor dgain = filled(ctx, {cols}, DType::fp32, 0.0);
    ops::row_squares(ctx, x, inverse);
    ops::inverse_rms(ctx, inverse, cols, kEps);
    ops::row_projections(ctx, dy, x, gain, inverse, sums);
    ops::shared_rms_norm_backward(ctx, dy, x, gain, inverse, sums, cols, dy, dgain);
    Values all = values_of(dy);
    const Values gains = values_of(dgain);
    all.insert(all.end(), gains.begin(), gains.end());
    return all;
  });
}

}  // namespace
}  // namespace argosy
