// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The vector loops against fp64 arithmetic on sizes with and without a tail. Tests of the ops run
// with and without them (ARGOSY_CPU_KERNELS).
#include "trainer/ops/vector_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
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

TEST_F(VectorRowsTest, Norms) {
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    const Halves x = halves(size, 1), gain = halves(size, 2), bias = halves(size, 3);
    const float mean = 0.25f, inv = 0.75f;
    double squares = 0;
    for (size_t i = 0; i + 1 < x.size(); ++i) squares += of(x, i) * of(x, i);
    EXPECT_NEAR(rows().sum_of_squares(x.data(), size), squares, kFp32 * squares);
    const NormRow row = {x.data(), gain.data(), size, mean, inv};
    const auto xhat = [&](size_t i) { return (of(x, i) - mean) * inv; };
    Halves y = halves(size, 4);
    rows().normalize(row, bias.data(), y.data());
    expect(y, kBf16, [&](size_t i) { return of(gain, i) * xhat(i) + of(bias, i); });
    rows().normalize(row, nullptr, y.data());
    expect(y, kBf16, [&](size_t i) { return of(gain, i) * xhat(i); });
  }
}

// Rows alone, four together, and four with others behind them.
TEST_F(VectorRowsTest, NormsBackward) {
  constexpr int64_t kRows = 11;
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    const auto width = static_cast<size_t>(size);
    const Halves x = halves(kRows * size, 1), gain = halves(size, 2);
    const Halves dy = halves(kRows * size, 5), old = halves(kRows * size, 6);
    std::vector<NormRow> norm;
    for (int64_t r = 0; r < kRows; ++r) {
      const float place = static_cast<float>(r);
      norm.push_back({x.data() + r * size, gain.data(), size, 0.0f, 1 / (1 + place)});
    }
    const auto xhat = [&](size_t i) {
      const NormRow& row = norm[i / width];
      return (of(x, i) - static_cast<double>(row.mean)) * static_cast<double>(row.inv);
    };
    const auto d = [&](size_t i) { return of(gain, i % width) * of(dy, i); };
    for (const bool centered : {false, true}) {
      for (int64_t r = 0; r < kRows; ++r)
        norm[static_cast<size_t>(r)].mean = centered ? 0.25f * static_cast<float>(r) : 0.0f;
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
        rows().normalize_backward(norm.data(), kRows, dy.data(), centered, add, dx.data(),
                                  dgain.data(), centered ? dbias.data() : nullptr);
        expect(dx, 2 * kBf16, [&](size_t i) {
          const double inv = static_cast<double>(norm[i / width].inv);
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

// Also where the first elements are far from the mean, the mean is far from zero, and nothing
// varies.
TEST_F(VectorRowsTest, MomentsOfARow) {
  for (const int64_t size : kSizes) {
    if (size == 0) continue;
    for (const float first : {1.0f, 3000.0f}) {
      for (const float offset : {0.0f, -64.0f}) {
        Halves x = halves(size, 1);
        for (bfloat16& v : x) v = bfloat16(static_cast<float>(v) + offset);
        x[0] = bfloat16(first);
        double mean = 0, variance = 0;
        for (size_t i = 0; i + 1 < x.size(); ++i) mean += of(x, i) / static_cast<double>(size);
        for (size_t i = 0; i + 1 < x.size(); ++i) {
          variance += (of(x, i) - mean) * (of(x, i) - mean) / static_cast<double>(size);
        }
        const Moments got = rows().moments(x.data(), size);
        EXPECT_NEAR(got.mean, mean, 1e-6 * (std::abs(mean) + std::sqrt(variance))) << size;
        EXPECT_NEAR(got.variance, variance, kFp32 * variance) << size;
      }
    }
    const Halves equal(static_cast<size_t>(size) + 1, bfloat16(0.1f));
    const Moments got = rows().moments(equal.data(), size);
    EXPECT_NEAR(got.mean, of(equal, 0), 1e-7);
    EXPECT_LT(got.variance, 1e-14);
    EXPECT_GE(got.variance, 0);
  }
  const Halves bad(40, bfloat16(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(std::isnan(rows().moments(bad.data(), 40).variance));
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
    EXPECT_NEAR(rows().scaled_and_dot(a.data(), b.data(), 0.375f, y.data(), size, a.data(),
                                      b.data(), y.data()),
                dot, 1e-2);
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
  const Floats bad = {1.0f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(std::isnan(rows().exp_sum(bad.data(), 1.0f, 2, &largest)));
}

}  // namespace
}  // namespace argosy::ops::detail
