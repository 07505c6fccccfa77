// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The vector loops against fp64 arithmetic on sizes with and without a tail. Tests of the ops run
// with and without them (ARGOSY_CPU_KERNELS).
#include "trainer/ops/vector_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "planner/spec/philox.h"

namespace argosy::ops::detail {
namespace {

using Halves = std::vector<bfloat16>;
using Floats = std::vector<float>;

constexpr int64_t kSizes[] = {0, 1, 15, 16, 17, 31, 32, 33, 64, 77, 768};
constexpr float kBehind = -7.0f;  // what lies behind an output and has to stay

float value_at(uint64_t stream, int64_t i) {
  return static_cast<float>(2 * standard_normal(3, stream, static_cast<uint64_t>(i)));
}
Halves halves(int64_t size, uint64_t stream) {
  Halves x;
  for (int64_t i = 0; i < size; ++i) x.emplace_back(value_at(stream, i));
  x.emplace_back(kBehind);
  return x;
}
Floats floats(int64_t size, uint64_t stream) {
  Floats x;
  for (int64_t i = 0; i < size; ++i) x.push_back(value_at(stream, i));
  x.push_back(kBehind);
  return x;
}

class VectorRowsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (vector_rows() == nullptr) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  }
  const VectorRows& rows() { return *vector_rows(); }

  // got[i] is expected(i) to `tolerance` of its size and of 1e-2, and nothing behind is written.
  template <typename T>
  static void expect(const std::vector<T>& got, double tolerance,
                     const std::function<double(size_t)>& expected) {
    for (size_t i = 0; i + 1 < got.size(); ++i) {
      const double value = expected(i);
      ASSERT_NEAR(static_cast<double>(static_cast<float>(got[i])), value,
                  tolerance * std::max(std::abs(value), 1e-2))
          << i << " of " << got.size() - 1;
    }
    EXPECT_EQ(static_cast<float>(got.back()), kBehind);
  }
};

constexpr double kBf16 = 0x1.1p-8;  // one rounding to bf16, and what arithmetic leaves
constexpr double kFp32 = 1e-5, kFewRoundings = 1e-6;

double of(const Halves& x, size_t i) {
  return static_cast<double>(static_cast<float>(x[i]));
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double gelu_argument(double x) {
  return 2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
}

TEST_F(VectorRowsTest, Activations) {
  for (const int64_t size : kSizes) {
    const Halves x = halves(size, 1), u = halves(size, 2), d = halves(size, 3);
    Halves y = halves(size, 4), z = halves(size, 5);
    rows().gelu(x.data(), y.data(), size);
    expect(y, kBf16, [&](size_t i) { return of(x, i) * sigmoid(gelu_argument(of(x, i))); });
    rows().gelu_backward(d.data(), x.data(), y.data(), size);
    expect(y, kBf16, [&](size_t i) {
      const double v = of(x, i), h = 1e-5;
      const auto gelu = [](double at) { return at * sigmoid(gelu_argument(at)); };
      return of(d, i) * (gelu(v + h) - gelu(v - h)) / (2 * h);
    });
    rows().swiglu(x.data(), u.data(), y.data(), size);
    expect(y, kBf16, [&](size_t i) { return of(x, i) * sigmoid(of(x, i)) * of(u, i); });
    rows().swiglu_backward(d.data(), x.data(), u.data(), y.data(), z.data(), size);
    expect(y, kBf16, [&](size_t i) {
      const double v = of(x, i), s = sigmoid(v);
      return of(d, i) * of(u, i) * s * (1 + v * (1 - s));
    });
    expect(z, kBf16, [&](size_t i) { return of(d, i) * of(x, i) * sigmoid(of(x, i)); });
  }
}

// Of every number within +-8, which is more than the pieces of vector_gelu_avx512.h are for.
TEST_F(VectorRowsTest, GeluOfEveryNumber) {
  constexpr double kSmallest = std::numeric_limits<float>::min();  // denormals become zero
  Halves x;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto number = std::bit_cast<float>(bits << 16);
    if (std::abs(number) <= 8) x.emplace_back(number);
  }
  const auto size = static_cast<int64_t>(x.size());
  const Halves one(x.size(), bfloat16(1.0f));
  Halves y(x.size()), dx(x.size());
  rows().gelu(x.data(), y.data(), size);
  rows().gelu_backward(one.data(), x.data(), dx.data(), size);
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = of(x, i), s = sigmoid(gelu_argument(v)), h = 1e-5;
    const double slope =
        s + v * s * (1 - s) * (gelu_argument(v + h) - gelu_argument(v - h)) / (2 * h);
    ASSERT_NEAR(of(y, i), v * s, 0x1p-8 * std::abs(v * s) + 1e-5) << v;
    ASSERT_NEAR(of(dx, i), slope, 0x1p-8 * std::abs(slope) + 5e-5) << v;
    if (std::abs(v) > 4) continue;
    ASSERT_NEAR(of(y, i), v * s, (0x1p-8 + 3e-3) * std::abs(v * s) + kSmallest) << v;
  }
}

TEST_F(VectorRowsTest, ClampedActivation) {
  constexpr double kLimit = 0.75, kAlpha = 1.702;
  const auto gated = [&](double x) { return std::min(x, kLimit); };
  const auto linear = [&](double x) { return std::clamp(x, -kLimit, kLimit); };
  for (const int64_t size : kSizes) {
    const Halves x = halves(size, 1), u = halves(size, 2), d = halves(size, 3);
    Halves y = halves(size, 4), z = halves(size, 5);
    rows().clamped_swiglu(x.data(), u.data(), kLimit, kAlpha, y.data(), size);
    expect(y, kBf16, [&](size_t i) {
      const double v = gated(of(x, i));
      return (linear(of(u, i)) + 1) * v * sigmoid(kAlpha * v);
    });
    rows().clamped_swiglu_backward(d.data(), x.data(), u.data(), kLimit, kAlpha, y.data(), z.data(),
                                   size);
    expect(y, kBf16, [&](size_t i) {
      const double v = of(x, i), s = sigmoid(kAlpha * v);
      return v > kLimit ? 0 : of(d, i) * (linear(of(u, i)) + 1) * s * (1 + kAlpha * v * (1 - s));
    });
    expect(z, kBf16, [&](size_t i) {
      const double v = gated(of(x, i));
      return std::abs(of(u, i)) > kLimit ? 0 : of(d, i) * v * sigmoid(kAlpha * v);
    });
  }
}

TEST_F(VectorRowsTest, ActivationsOfFloats) {
  for (const int64_t size : kSizes) {
    const Floats x = floats(size, 1), d = floats(size, 3);
    Floats y = floats(size, 4);
    const auto gelu = [](double at) { return at * sigmoid(gelu_argument(at)); };
    rows().gelu_of_floats(x.data(), y.data(), size);
    expect(y, kFewRoundings, [&](size_t i) { return gelu(static_cast<double>(x[i])); });
    rows().gelu_backward_of_floats(d.data(), x.data(), y.data(), size);
    expect(y, kFp32, [&](size_t i) {
      const double v = static_cast<double>(x[i]), h = 1e-5;
      return static_cast<double>(d[i]) * (gelu(v + h) - gelu(v - h)) / (2 * h);
    });
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Floats x = {-1e30f, -50.0f, 0.0f, 50.0f, 1e30f, nan}, one(x.size(), 1.0f);
  Floats y(x.size());
  rows().gelu_of_floats(x.data(), y.data(), 6);
  for (size_t i : {0u, 1u, 2u}) EXPECT_NEAR(y[i], 0, 1e-6) << i;
  EXPECT_EQ(y[3], 50);
  EXPECT_EQ(y[4], 1e30f);
  EXPECT_TRUE(std::isnan(y[5]));
  rows().gelu_backward_of_floats(one.data(), x.data(), y.data(), 6);
  EXPECT_NEAR(y[1], 0, 1e-6);
  EXPECT_EQ(y[2], 0.5);
  EXPECT_EQ(y[3], 1);
  EXPECT_TRUE(std::isnan(y[5]));
}

TEST_F(VectorRowsTest, ActivationsOfExtremes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Halves x = {bfloat16(-1e30f), bfloat16(-50.0f), bfloat16(0.0f),
                    bfloat16(50.0f),  bfloat16(1e30f),  bfloat16(nan)};
  Halves y(x.size());
  const auto size = static_cast<int64_t>(x.size());
  rows().gelu(x.data(), y.data(), size);
  for (size_t i : {0u, 1u, 2u}) EXPECT_NEAR(of(y, i), 0, 1e-6) << i;
  EXPECT_EQ(of(y, 3), of(x, 3));
  EXPECT_EQ(of(y, 4), of(x, 4));
  EXPECT_TRUE(std::isnan(of(y, 5)));
  const Halves one(x.size(), bfloat16(1.0f));
  rows().gelu_backward(one.data(), x.data(), y.data(), size);
  EXPECT_NEAR(of(y, 1), 0, 1e-6);
  EXPECT_EQ(of(y, 2), 0.5);
  EXPECT_EQ(of(y, 3), 1);
  EXPECT_TRUE(std::isnan(of(y, 5)));
}

template <typename T>
std::vector<T> values(int64_t size, uint64_t stream) {
  if constexpr (std::is_same_v<T, bfloat16>) return halves(size, stream);
  if constexpr (std::is_same_v<T, float>) return floats(size, stream);
}

// Rows of one norm with a mean that is far from that of their first elements; behind all outputs
// kBehind.
template <typename T>
struct NormRowsOfTest {
  static constexpr int64_t kRows = 5;
  int64_t cols;
  std::vector<T> x = values<T>(kRows * cols, 1), residual = values<T>(kRows * cols, 2);
  std::vector<T> gain = values<T>(cols, 3), bias = values<T>(cols, 4);
  std::vector<T> y = values<T>(kRows * cols, 5);
  Floats means = floats(kRows, 6), invs = floats(kRows, 7);

  explicit NormRowsOfTest(int64_t width) : cols(width) {
    for (int64_t i = cols / 2; i + 1 < cols; ++i)
      x[static_cast<size_t>(i)] = T(static_cast<float>(x[static_cast<size_t>(i)]) + 3.0f);
  }
  NormForward<T> rows(bool centered, bool with_residual) {
    return {with_residual ? residual.data() : nullptr,
            x.data(),
            gain.data(),
            centered ? bias.data() : nullptr,
            cols,
            1e-3f,
            y.data(),
            centered ? means.data() : nullptr,
            invs.data()};
  }
};

// y and the statistics against fp64, of the rows that x has become.
template <typename T>
void expect_norms(const NormRowsOfTest<T>& test, bool centered, double tolerance) {
  const auto cols = static_cast<size_t>(test.cols);
  const auto number = [](T v) { return static_cast<double>(static_cast<float>(v)); };
  for (size_t r = 0; r < size_t{NormRowsOfTest<T>::kRows}; ++r) {
    double mean = 0, variance = 0;
    for (size_t c = 0; c < cols; ++c) mean += number(test.x[r * cols + c]) / test.cols;
    if (!centered) mean = 0;
    for (size_t c = 0; c < cols; ++c)
      variance += std::pow(number(test.x[r * cols + c]) - mean, 2) / test.cols;
    const double inv = 1 / std::sqrt(variance + 1e-3);
    if (centered) {
      ASSERT_NEAR(test.means[r], mean, kFewRoundings * (1 + std::abs(mean))) << r;
    }
    ASSERT_NEAR(test.invs[r], inv, kFewRoundings * 4 * inv) << r << " of " << cols;
    for (size_t c = 0; c < cols; ++c) {
      const double shift = centered ? number(test.bias[c]) : 0;
      const double scaled = number(test.gain[c]) * (number(test.x[r * cols + c]) - mean) * inv;
      ASSERT_NEAR(number(test.y[r * cols + c]), scaled + shift,
                  tolerance * std::max({std::abs(scaled) + std::abs(shift), 1e-2}))
          << r << ", " << c;
    }
  }
  for (const T behind : {test.x.back(), test.y.back()})
    EXPECT_EQ(static_cast<float>(behind), kBehind);
  EXPECT_EQ(test.invs.back(), kBehind);
  EXPECT_EQ(test.means.back(), kBehind);
}

template <typename T>
void expect_norms(const VectorNorm<T>& norm, double tolerance) {
  for (const int64_t cols : kSizes) {
    if (cols == 0) continue;
    for (const bool centered : {false, true}) {
      NormRowsOfTest<T> plain(cols), added(cols), alone(cols);
      norm.forward(plain.rows(centered, false), plain.kRows);
      expect_norms(plain, centered, tolerance);
      norm.forward(added.rows(centered, true), added.kRows);
      expect_norms(added, centered, tolerance);
      // The sums as they are now, row by row: the same bits.
      alone.x = added.x;
      for (int64_t r = 0; r < alone.kRows; ++r) {
        NormForward<T> row = alone.rows(centered, false);
        row.x += r * cols, row.y += r * cols, row.invs += r;
        if (centered) row.means += r;
        norm.forward(row, 1);
      }
      const auto bits = [](const auto& v) { return std::as_bytes(std::span(v)); };
      EXPECT_TRUE(std::ranges::equal(bits(alone.y), bits(added.y))) << cols;
      EXPECT_EQ(alone.invs, added.invs) << cols;
      // And again from the statistics.
      const std::vector<T> y = added.y;
      for (int64_t r = 0; r < added.kRows; ++r) {
        const auto at = static_cast<size_t>(r);
        norm.apply({added.x.data() + r * cols, added.gain.data(), cols,
                    centered ? added.means[at] : 0.0f, added.invs[at]},
                   centered ? added.bias.data() : nullptr, added.y.data() + r * cols);
      }
      EXPECT_TRUE(std::ranges::equal(bits(y), bits(added.y))) << cols;
    }
  }
}

TEST_F(VectorRowsTest, Norms) {
  expect_norms<bfloat16>(rows().norm, kBf16);
  expect_norms<float>(rows().norm_of_floats, kFp32);
}

// Rows alone, four together, and four with others behind them.
TEST_F(VectorRowsTest, NormsBackward) {
  constexpr int64_t kRows = 11;
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    const auto width = static_cast<size_t>(size);
    const Halves x = halves(kRows * size, 1), gain = halves(size, 2);
    const Halves dy = halves(kRows * size, 5), old = halves(kRows * size, 6);
    Floats means(kRows), invs;
    for (int64_t r = 0; r < kRows; ++r) invs.push_back(1 / (1 + static_cast<float>(r)));
    const auto xhat = [&](size_t i) {
      return (of(x, i) - static_cast<double>(means[i / width])) *
             static_cast<double>(invs[i / width]);
    };
    const auto d = [&](size_t i) { return of(gain, i % width) * of(dy, i); };
    for (const bool centered : {false, true}) {
      for (size_t r = 0; r < kRows; ++r) means[r] = centered ? 0.25f * static_cast<float>(r) : 0.0f;
      for (const bool add : {false, true}) {
        std::vector<double> shift(kRows), slope(kRows);
        for (size_t i = 0; i < kRows * width; ++i) {
          shift[i / width] += centered ? d(i) / static_cast<double>(size) : 0;
          slope[i / width] += d(i) * xhat(i) / static_cast<double>(size);
        }
        Halves dx = old;
        Floats dgain(width, 1.0f), dbias = dgain;
        dgain.push_back(kBehind);
        dbias.push_back(kBehind);
        const NormRows<bfloat16> norm = {x.data(), gain.data(), size,
                                         centered ? means.data() : nullptr, invs.data()};
        rows().normalize_backward(norm, kRows, dy.data(), centered, add, dx.data(), dgain.data(),
                                  centered ? dbias.data() : nullptr);
        expect(dx, 2 * kBf16, [&](size_t i) {
          const double inv = static_cast<double>(invs[i / width]);
          return (add ? of(old, i) : 0) +
                 inv * (d(i) - shift[i / width] - xhat(i) * slope[i / width]);
        });
        // A rounding of fp32 for each row that is added, of no more than all magnitudes together.
        const auto expect_sums = [&](const Floats& sums, const auto& term) {
          for (size_t c = 0; c < width; ++c) {
            double sum = 1, magnitude = 1;
            for (size_t r = 0; r < kRows; ++r) {
              sum += term(r * width + c);
              magnitude += std::abs(term(r * width + c));
            }
            ASSERT_NEAR(static_cast<double>(sums[c]), sum, 0x1p-24 * (kRows + 2) * magnitude) << c;
          }
          EXPECT_EQ(sums.back(), kBehind);
        };
        expect_sums(dgain, [&](size_t i) { return of(dy, i) * xhat(i); });
        expect_sums(dbias, [&](size_t i) { return centered ? of(dy, i) : 0; });
      }
    }
  }
}

TEST_F(VectorRowsTest, SquaresOfATile) {
  constexpr int64_t kStride = 40;
  const Floats x = floats(12 * kStride, 1);
  for (const int64_t rows : {0, 1, 5, 12}) {
    for (const int64_t cols : {1, 15, 16, 31, 32}) {
      double expected = 0;
      for (int64_t i = 0; i < rows * cols; ++i) {
        const double v = static_cast<double>(x[static_cast<size_t>(i / cols * kStride + i % cols)]);
        expected += v * v;
      }
      EXPECT_NEAR(vector_rows()->tile_squares(x.data(), rows, cols, kStride), expected,
                  kFp32 * expected);
    }
  }
}

// LayerNorm's mean and 1 / sqrt(variance + eps) of one row.
template <typename T>
std::pair<double, double> statistics(const VectorNorm<T>& norm, std::vector<T> x, float eps) {
  const std::vector<T> ones(x.size(), T(1.0f));
  std::vector<T> y(x.size());
  float mean = 0, inv = 0;
  norm.forward({nullptr, x.data(), ones.data(), ones.data(), static_cast<int64_t>(x.size()), eps,
                y.data(), &mean, &inv},
               1);
  return {mean, inv};
}

// Also where the first elements are far from the mean, the mean is far from zero, and nothing
// varies.
template <typename T>
void expect_statistics(const VectorNorm<T>& norm) {
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    for (const float first : {1.0f, 3000.0f}) {
      for (const float offset : {0.0f, -64.0f}) {
        std::vector<T> x;
        for (int64_t i = 0; i < size; ++i) x.emplace_back(value_at(1, i) + offset);
        x[0] = T(first);
        double mean = 0, variance = 1e-6;
        for (const T v : x) mean += static_cast<double>(static_cast<float>(v)) / size;
        for (const T v : x)
          variance += std::pow(static_cast<double>(static_cast<float>(v)) - mean, 2) / size;
        const auto [got_mean, got_inv] = statistics(norm, x, 1e-6f);
        EXPECT_NEAR(got_mean, mean, 1e-6 * (std::abs(mean) + std::sqrt(variance))) << size;
        EXPECT_NEAR(got_inv * std::sqrt(variance), 1, kFp32) << size;
      }
    }
    const std::vector<T> equal(static_cast<size_t>(size), T(0.1f));
    const auto [mean, inv] = statistics(norm, equal, 1e-12f);
    EXPECT_NEAR(mean, static_cast<double>(static_cast<float>(equal[0])), 1e-7);
    EXPECT_NEAR(inv, 1e6, 1e4);
  }
  const std::vector<T> bad(40, T(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(std::isnan(statistics(norm, bad, 1e-6f).second));
}

TEST_F(VectorRowsTest, StatisticsOfARow) {
  expect_statistics<bfloat16>(rows().norm);
  expect_statistics<float>(rows().norm_of_floats);
}

// Three heads with something between them, which stays.
TEST_F(VectorRowsTest, Rotations) {
  constexpr size_t kHeads = 3, kGap = 5;
  for (const int64_t size : kSizes) {
    const auto half = static_cast<size_t>(size), stride = 2 * half + kGap;
    const TurningHeads turning = {kHeads, static_cast<int64_t>(stride), size};
    const Halves before = halves(static_cast<int64_t>(kHeads * stride), 1);
    const Floats cos = floats(size, 3), sin = floats(size, 4);
    for (const bool is_interleaved : {false, true}) {
      for (const double direction : {1.0, -1.0}) {
        Halves heads = before;
        const auto rotate = is_interleaved ? rows().rotate_neighbours : rows().rotate_halves;
        rotate(heads.data(), turning, cos.data(), sin.data(), direction < 0);
        expect(heads, 2 * kBf16, [&](size_t i) {
          const size_t place = i % stride;
          if (place >= 2 * half) return of(before, i);
          const size_t pair = is_interleaved ? place / 2 : place % half;
          const bool is_second = is_interleaved ? place % 2 == 1 : place >= half;
          const size_t apart = is_interleaved ? 1 : half;
          const double other = of(before, is_second ? i - apart : i + apart);
          const double sine = direction * static_cast<double>(sin[pair]);
          return of(before, i) * static_cast<double>(cos[pair]) +
                 (is_second ? other : -other) * sine;
        });
      }
    }
  }
}

TEST_F(VectorRowsTest, Sums) {
  for (const int64_t size : kSizes) {
    const Halves a = halves(size, 1), b = halves(size, 2);
    Halves y = b;
    rows().add(a.data(), y.data(), size);
    expect(y, kBf16, [&](size_t i) { return of(a, i) + of(b, i); });
    Halves four;
    for (uint64_t row = 0; row < 4; ++row) {
      const Halves one = halves(size, 6 + row);
      four.insert(four.end(), one.begin(), one.end() - 1);
    }
    Floats totals = floats(size, 3);
    for (const size_t count : {1, 4}) {
      rows().sum_rows(four.data(), static_cast<int64_t>(count), totals.data(), size);
      expect(totals, kFp32, [&](size_t i) {
        double sum = 0;
        for (size_t row = 0; row < count; ++row)
          sum += of(four, row * static_cast<size_t>(size) + i);
        return sum;
      });
    }
    const bfloat16* operands[] = {a.data(), b.data(), a.data()};
    const float weights[] = {0.5f, -2.0f, 0.25f};
    Halves sum = halves(size, 5);
    const Halves old = sum;
    rows().weighted_sum(operands, weights, 3, true, sum.data(), size);
    expect(sum, 2 * kBf16, [&](size_t i) { return of(old, i) + 0.75 * of(a, i) - 2 * of(b, i); });
    double dot = 0;
    for (size_t i = 0; i + 1 < a.size(); ++i) dot += of(a, i) * of(b, i);
    EXPECT_NEAR(rows().scaled_and_dot(a.data(), b.data(), 0.375f, y.data(), size, a.data()), dot,
                1e-2);
    expect(y, kBf16, [&](size_t i) { return 0.375 * of(a, i); });
  }
}

TEST_F(VectorRowsTest, Softmax) {
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    const Floats x = floats(size, 1);
    double sum = 0, top = -1e30;
    for (size_t i = 0; i + 1 < x.size(); ++i) top = std::max(top, static_cast<double>(x[i]));
    const auto power = [&](size_t i) { return std::exp(static_cast<double>(x[i]) - top); };
    for (size_t i = 0; i + 1 < x.size(); ++i) sum += power(i);
    const auto maximum = rows().maximum(x.data(), size);
    EXPECT_EQ(static_cast<double>(maximum), top);
    for (const float above : {0.0f, -3.0f, 60.0f}) {  // the maximum, below it or above
      float largest = 0;
      const double expected = sum * std::exp(-static_cast<double>(above));
      const double rounding = 0x1p-23 * static_cast<double>(std::abs(above));  // of x - top
      EXPECT_NEAR(rows().exp_sum(x.data(), maximum + above, size, &largest), expected,
                  (1e-6 + rounding) * expected);
      EXPECT_EQ(largest, maximum);
    }
    Floats y = x;
    rows().exp_scaled(x.data(), maximum, 0.5f, y.data(), size);
    expect(y, 1e-6, [&](size_t i) { return power(i) / 2; });
    Halves narrow = halves(size, 2);
    rows().exp_narrowed(x.data(), maximum, 0.5f, narrow.data(), size);
    expect(narrow, kBf16, [&](size_t i) { return power(i) / 2; });
  }
  const float infinity = std::numeric_limits<float>::infinity();
  const Floats x = {1.0f, -infinity, -1000.0f, 1.0f};
  float largest = 0;
  EXPECT_EQ(rows().exp_sum(x.data(), 1.0f, 4, &largest), 2.0f);
  EXPECT_EQ(largest, 1.0f);
  // Whatever the lower bits of a NaN: the exponentials count whole numbers there.
  for (const uint32_t bits : {0x7fc00000u, 0x7fc00001u, 0x7fc001ffu, 0x7f812345u, 0xffc00001u}) {
    const Floats bad = {1.0f, std::bit_cast<float>(bits)};
    Floats y(2);
    EXPECT_TRUE(std::isnan(rows().exp_sum(bad.data(), 1.0f, 2, &largest))) << bits;
    rows().exp_scaled(bad.data(), 1.0f, 0.5f, y.data(), 2);
    EXPECT_TRUE(std::isnan(y[1])) << bits;
    rows().gelu_of_floats(bad.data(), y.data(), 2);
    EXPECT_TRUE(std::isnan(y[1])) << bits;
  }
}

}  // namespace
}  // namespace argosy::ops::detail
