// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Every kernel of the build that this CPU supports, against fp64; the others are skipped by name.
// The AMX kernel runs on emulated tiles besides.
#include "trainer/ops/cpu_kernels.h"

#include <array>
#include <cctype>
#include <numeric>

#include "tests/trainer/ops/amx_emulation.h"
#include "tests/trainer/ops/op_fixture.h"
#include "trainer/ops/attention_packed_cpu.h"
#include "trainer/ops/cpu_kernel_list.h"
#include "trainer/ops/packed_product.h"

namespace argosy {
namespace {

using ops::detail::CpuKernel;
using ops::detail::PackedProduct;

std::vector<const CpuKernel*> tested_kernels() {
  std::vector<const CpuKernel*> kernels = ops::detail::all_kernels();
  kernels.push_back(&ops::detail::emulated_amx_kernel());
  return kernels;
}

bool is_supported(const CpuKernel* kernel) {
  if (kernel == &ops::detail::emulated_amx_kernel()) return ops::detail::cpu_features().avx512_bf16;
  const auto supported = ops::detail::supported_kernels(kernel->dtype);
  return std::find(supported.begin(), supported.end(), kernel) != supported.end();
}

struct Case {
  int64_t m, n, k;
};
// Primes, ones, empty sums, whole panels, and sums so long that they are cut.
const Case kCases[] = {{1, 1, 1},     {1, 1, 2},     {2, 3, 0},     {5, 7, 3},
                       {13, 1, 17},   {1, 19, 11},   {12, 32, 32},  {32, 64, 64},
                       {37, 41, 129}, {97, 33, 64},  {23, 101, 7},  {17, 31, 33},
                       {300, 97, 61}, {7, 35, 4099}, {61, 5, 2111}, {230, 130, 197}};

struct Operands {
  Case size;
  Values a, b, old, bias, products;  // (m,k), (n,k), (m,n), (n), (m,n)
};

Operands operands(const Case& s) {
  Operands o = {s,
                random_values(s.m * s.k, 1),
                random_values(s.n * s.k, 2),
                random_values(s.m * s.n, 3),
                random_values(s.n, 4),
                {}};
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      const auto a = o.a.begin() + i * s.k, b = o.b.begin() + j * s.k;
      o.products.push_back(std::inner_product(a, a + s.k, b, 0.0));
    }
  }
  return o;
}

class Kernels : public OpTest, public ::testing::WithParamInterface<const CpuKernel*> {
 protected:
  void SetUp() override {
    if (!is_supported(&kernel))
      GTEST_SKIP() << "this CPU does not support the " << kernel.name << " kernel";
  }

  struct Setup {
    DType a = DType::fp32, b = DType::fp32, c = DType::fp32;
    bool a_strided = false, b_strided = false, with_bias = false, accumulate = false;
    float alpha = 1.0f;
  };

  // Values (size, k) stored like that, or transposed.
  Tensor stored(const Values& values, int64_t size, int64_t k, DType dtype, bool k_is_strided) {
    if (!k_is_strided) return make({size, k}, dtype, values);
    Values transposed(values.size());
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j < k; ++j)
        transposed[static_cast<size_t>(j * size + i)] = values[static_cast<size_t>(i * k + j)];
    }
    return make({k, size}, dtype, transposed);
  }

  void check(const Operands& o, const Setup& setup) {
    const auto [m, n, k] = o.size;
    const Tensor a = stored(o.a, m, k, setup.a, setup.a_strided);
    const Tensor b = stored(o.b, n, k, setup.b, setup.b_strided);
    const Tensor c =
        make({m, n}, setup.c, setup.accumulate ? o.old : Values(o.old.size(), kPoison));
    const Tensor bias = make({n}, DType::fp32, o.bias);
    const PackedProduct p = {m,
                             n,
                             k,
                             {a.raw(), setup.a, a.dim(1), setup.a_strided},
                             {b.raw(), setup.b, b.dim(1), setup.b_strided},
                             c.raw(),
                             setup.c,
                             setup.with_bias ? bias.data<float>() : nullptr};
    ops::detail::packed_products(ctx, kernel, {p}, setup.alpha, setup.accumulate);
    Values expected(o.old.size());
    for (size_t at = 0; at < expected.size(); ++at) {
      expected[at] = setup.alpha * o.products[at] +
                     (setup.with_bias ? o.bias[at % static_cast<size_t>(n)] : 0.0) +
                     (setup.accumulate ? o.old[at] : 0.0);
    }
    EXPECT_LE(relative_error(values_of(c), expected), tolerance_of(setup.c))
        << m << " x " << n << " x " << k << " " << setup.a_strided << setup.b_strided << " to "
        << to_string(setup.c) << " alpha " << setup.alpha;
  }

  const CpuKernel& kernel = *GetParam();
};

TEST_P(Kernels, EqualFp64) {
  for (const Case& size : kCases) {
    const Operands s = operands(size);
    for (const bool a_strided : {false, true}) {
      for (const bool b_strided : {false, true}) {
        for (const DType c : {DType::fp32, DType::bf16}) {
          Setup setup = {kernel.dtype, kernel.dtype, c, a_strided, b_strided};
          check(s, setup);
          setup.accumulate = true;
          check(s, setup);
          setup.with_bias = true;
          setup.alpha = -0.375f;
          check(s, setup);
          setup.accumulate = false;
          check(s, setup);
        }
      }
    }
  }
}

class Fp32Kernels : public Kernels {};

TEST_P(Fp32Kernels, WidenBf16) {
  const Operands o = operands({37, 41, 129});
  for (const bool a_strided : {false, true}) {
    for (const bool b_strided : {false, true}) {
      check(o, {DType::bf16, DType::fp32, DType::fp32, a_strided, b_strided});
      check(o, {DType::fp32, DType::bf16, DType::bf16, a_strided, b_strided});
      check(o, {DType::bf16, DType::bf16, DType::fp32, a_strided, b_strided});
    }
  }
}

// Long sums in one range of k must not pass through bf16 on their way.
TEST_P(Kernels, KeepPartialSumsInFp32) {
  const int64_t k = 8192;
  const Tensor a = filled(ctx, {1, k}, kernel.dtype, 1.0);
  const Tensor c = make({1, 1}, DType::bf16, {0});
  const PackedProduct p = {1,
                           1,
                           k,
                           {a.raw(), kernel.dtype, k, false},
                           {a.raw(), kernel.dtype, k, false},
                           c.raw(),
                           DType::bf16,
                           nullptr};
  ops::detail::packed_products(ctx, kernel, {p}, 1.0f, false);
  EXPECT_EQ(values_of(c), Values{8192});
}

TEST_P(Kernels, ThreadsDoNotChangeBits) {
  const int64_t m = 517, n = 301, k = 2500;
  const Tensor a = make({k, m}, kernel.dtype, random_values(m * k, 1));
  const Tensor b = make({n, k}, kernel.dtype, random_values(n * k, 2));
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    const Tensor c = filled(ctx, {m, n}, dtype, 0.0);
    const PackedProduct p = {
        m,       n,     k,      {a.raw(), kernel.dtype, m, true}, {b.raw(), kernel.dtype, k, false},
        c.raw(), dtype, nullptr};
    expect_same_on_any_threads([&] {
      ops::detail::packed_products(ctx, kernel, {p}, 1.0f, false);
      return values_of(c);
    });
  }
}

// Results and gradients of attention in fp64, or by the kernel.
struct Attention {
  Attention(DeviceContext& ctx, const ops::AttentionShape& shape, DType dtype) : s(shape) {
    const int64_t rows = s.batch * s.seq_len;
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    uint32_t seed = 1;
    const auto some = [&](int64_t heads, int64_t dim) {
      const Shape size{rows, heads * dim};
      return argosy::make(ctx, size, dtype, random_values(size.size(), seed++));
    };
    const int64_t dim = s.head_dim, value_dim = s.value_dim;
    q = some(s.num_heads, dim), k = some(s.num_kv_heads, dim), v = some(s.num_kv_heads, value_dim);
    dout = some(s.num_heads, value_dim), out = some(s.num_heads, value_dim);
    dq = some(s.num_heads, dim), dk = some(s.num_kv_heads, dim);
    dv = some(s.num_kv_heads, value_dim);
    lse = filled(ctx, {rows, s.num_heads}, statistic, kPoison);
  }
  ops::AttentionShape s;
  Tensor q, k, v, dout, out, lse, dq, dk, dv;
};

TEST_P(Kernels, AttendAsFp64Does) {
  for (const auto& [seq_len, heads, kv_heads, dim, value_dim, window] :
       {std::array<int64_t, 6>{1, 1, 1, 1, 1, 0},
        {7, 2, 1, 3, 3, 0},
        {97, 2, 2, 40, 40, 0},
        {200, 4, 2, 64, 64, 0},
        {331, 2, 1, 17, 17, 70},
        {200, 2, 2, 72, 40, 0},
        {130, 2, 1, 17, 65, 0}}) {
    const ops::AttentionShape shape = {.batch = 2,
                                       .seq_len = seq_len,
                                       .num_heads = heads,
                                       .num_kv_heads = kv_heads,
                                       .head_dim = dim,
                                       .scale = 0.3,
                                       .window = window,
                                       .value_dim = value_dim};
    Attention expected(ctx, shape, DType::fp64), got(ctx, shape, kernel.dtype);
    {
      const auto& [s, q, k, v, dout, out, lse, dq, dk, dv] = expected;
      ops::attention_forward(ctx, s, q, k, v, out, lse);
      ops::attention_backward(ctx, s, dout, q, k, v, out, lse, dq, dk, dv);
    }
    got.s.queries = got.s.keys = {{0, 0, seq_len}};
    const auto& [s, q, k, v, dout, out, lse, dq, dk, dv] = got;
    const auto merge = ops::Merge::overwrite;
    ops::detail::packed_attention_forward(ctx, kernel, s, q, k, v, out, lse, merge);
    ops::detail::packed_attention_backward(ctx, kernel, s, dout, q, k, v, out, lse, dq, dk, dv,
                                           merge);
    const double tolerance = kernel.dtype == DType::fp32 ? 1e-5 : tolerance_of(kernel.dtype);
    EXPECT_LE(relative_error(values_of(lse), values_of(expected.lse)), 1e-5) << seq_len;
    EXPECT_LE(relative_error(values_of(out), values_of(expected.out)), tolerance) << seq_len;
    EXPECT_LE(relative_error(values_of(dq), values_of(expected.dq)), tolerance) << seq_len;
    EXPECT_LE(relative_error(values_of(dk), values_of(expected.dk)), tolerance) << seq_len;
    EXPECT_LE(relative_error(values_of(dv), values_of(expected.dv)), tolerance) << seq_len;
  }
}

TEST_P(Kernels, PassTheirTrial) {
  EXPECT_TRUE(ops::detail::multiplies_right(kernel));
}

std::string kernel_name(const ::testing::TestParamInfo<const CpuKernel*>& info) {
  const bool emulated = info.param == &ops::detail::emulated_amx_kernel();
  std::string name = emulated ? "emulated" : "";
  for (const char c : std::string(info.param->name)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return name + "_" + std::string(to_string(info.param->dtype));
}
INSTANTIATE_TEST_SUITE_P(All, Kernels, ::testing::ValuesIn(tested_kernels()), kernel_name);

INSTANTIATE_TEST_SUITE_P(All, Fp32Kernels, ::testing::Values(&ops::detail::avx512_fp32_kernel()),
                         kernel_name);

// A CPU that promises an instruction and has none, or has a wrong one, must not train with it.
TEST(KernelTrial, FindsWrongAndIllegalKernels) {
  const auto supported = ops::detail::supported_kernels(DType::fp32);
  if (supported.empty()) GTEST_SKIP() << "this CPU supports no kernel of ours";
  CpuKernel wrong = *supported.front();
  wrong.multiply = [](int64_t rows, int64_t words, const void* a, const void* b, float* c,
                      int64_t c_stride, bool accumulate) {
    ops::detail::supported_kernels(DType::fp32)
        .front()
        ->multiply(rows, words, a, b, c, c_stride, accumulate);
    c[(rows - 1) * c_stride + 31] += 0.5f;
  };
  EXPECT_FALSE(ops::detail::multiplies_right(wrong));
  CpuKernel illegal = *supported.front();
  illegal.begin = [] { asm volatile("ud2"); };
  EXPECT_FALSE(ops::detail::multiplies_right(illegal));
  EXPECT_FALSE(ops::detail::multiplies_right(illegal));  // more than once
  EXPECT_TRUE(ops::detail::multiplies_right(*supported.front()));
}

TEST(KernelChoice, IsTheFirstThatIsRight) {
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    const auto supported = ops::detail::supported_kernels(dtype);
    const auto& choice = ops::detail::kernel_choice(dtype);
    EXPECT_EQ(choice.kernel, supported.empty() ? nullptr : supported.front());
    EXPECT_EQ(choice.warning, "");
  }
}

// The cap is read once a process: a child tries another.
TEST(KernelCap, RefusesUnknownNames) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fresh process
  EXPECT_EXIT(
      {
        setenv("ARGOSY_CPU_KERNELS", "avx2", 1);
        try {
          ops::detail::cpu_features();
        } catch (const ConfigError& error) {
          std::fputs(error.what(), stderr);
          std::exit(2);
        }
        std::exit(0);
      },
      ::testing::ExitedWithCode(2), "ARGOSY_CPU_KERNELS.*avx2.*none, avx512, avx512_bf16 and amx");
}

}  // namespace
}  // namespace argosy
