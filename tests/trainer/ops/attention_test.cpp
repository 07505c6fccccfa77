// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention.h"

#include "planner/spec/mesh.h"
#include "tests/trainer/ops/ops_support.h"

namespace argosy {
namespace {

using ops::AttentionShape;

size_t at(int64_t i) {
  return static_cast<size_t>(i);
}

// out (N, hq*Dv) and lse (N, hq), from the T x T matrix of each head.
struct Reference {
  Values out, lse;
};
Reference reference(const AttentionShape& s, const Values& q, const Values& k, const Values& v) {
  const int64_t rows = s.batch * s.seq_len, dim = s.head_dim, value_dim = ops::value_dim(s);
  Reference r{Values(at(rows * s.num_heads * value_dim)), Values(at(rows * s.num_heads))};
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t start = row / s.seq_len * s.seq_len;
    const int64_t first = s.window == 0 ? start : std::max(start, row - s.window + 1);
    for (int64_t h = 0; h < s.num_heads; ++h) {
      const int64_t kv = h / (s.num_heads / s.num_kv_heads);
      Values weights;
      double sum = 0;
      for (int64_t key = first; key <= row; ++key) {
        double score = 0;
        for (int64_t d = 0; d < dim; ++d) {
          score += q[at((row * s.num_heads + h) * dim + d)] *
                   k[at((key * s.num_kv_heads + kv) * dim + d)];
        }
        weights.push_back(std::exp(s.scale * score));
        sum += weights.back();
      }
      r.lse[at(row * s.num_heads + h)] = std::log(sum);
      for (int64_t key = first; key <= row; ++key) {
        for (int64_t d = 0; d < value_dim; ++d) {
          r.out[at((row * s.num_heads + h) * value_dim + d)] +=
              weights[at(key - first)] / sum * v[at((key * s.num_kv_heads + kv) * value_dim + d)];
        }
      }
    }
  }
  return r;
}

// Inputs and poisoned outputs of one attention.
struct Fixture {
  Fixture(DeviceContext& context, const AttentionShape& shape, DType dtype)
      : ctx(context),
        s(shape),
        rows(s.batch * s.seq_len),
        queries{rows, s.num_heads * s.head_dim},
        keys{rows, s.num_kv_heads * s.head_dim},
        values{rows, s.num_kv_heads * ops::value_dim(s)},
        results{rows, s.num_heads * ops::value_dim(s)},
        q_values(random_values(queries.size(), 1)),
        k_values(random_values(keys.size(), 2)),
        v_values(random_values(values.size(), 3)),
        dout_values(random_values(results.size(), 4)),
        q(make(ctx, queries, dtype, q_values)),
        k(make(ctx, keys, dtype, k_values)),
        v(make(ctx, values, dtype, v_values)),
        dout(make(ctx, results, dtype, dout_values)),
        out(filled(ctx, results, dtype, kPoison)),
        lse(filled(ctx, {rows, s.num_heads}, dtype == DType::fp64 ? DType::fp64 : DType::fp32,
                   kPoison)),
        dq(filled(ctx, queries, dtype, kPoison)),
        dk(filled(ctx, keys, dtype, kPoison)),
        dv(filled(ctx, values, dtype, kPoison)) {}
  void forward() { ops::attention_forward(ctx, s, q, k, v, out, lse); }
  void backward() { ops::attention_backward(ctx, s, dout, q, k, v, out, lse, dq, dk, dv); }

  DeviceContext& ctx;
  AttentionShape s;
  int64_t rows;
  Shape queries, keys, values, results;
  Values q_values, k_values, v_values, dout_values;
  Tensor q, k, v, dout, out, lse, dq, dk, dv;
};

AttentionShape make_shape(int64_t batch, int64_t seq_len, int64_t heads, int64_t kv_heads,
                          int64_t dim, int64_t window = 0, int64_t value_dim = 0) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(dim));
  return {batch, seq_len, heads, kv_heads, dim, scale, window, value_dim};
}
const AttentionShape kShapes[] = {
    make_shape(1, 1, 1, 1, 1),          make_shape(2, 7, 2, 1, 3),
    make_shape(1, 64, 2, 2, 32),        make_shape(2, 65, 6, 2, 5),
    make_shape(1, 131, 3, 3, 40),       make_shape(1, 200, 4, 1, 17),
    make_shape(2, 131, 2, 1, 8, 1),     make_shape(1, 131, 2, 2, 8, 17),
    make_shape(1, 200, 2, 1, 8, 64),    make_shape(1, 200, 1, 1, 8, 70),
    make_shape(1, 67, 1, 1, 8, 500),    make_shape(2, 65, 2, 2, 24, 0, 16),
    make_shape(1, 131, 4, 2, 5, 0, 40), make_shape(1, 131, 2, 2, 70, 17, 33)};
const DType kDTypes[] = {DType::fp64, DType::fp32, DType::bf16};

double tolerance(DType dtype) {
  return dtype == DType::fp32 ? 1e-5 : tolerance_of(dtype);
}

TEST(Attention, ForwardEqualsTheDefinition) {
  DeviceContext ctx(Device::cpu);
  for (const AttentionShape& s : kShapes) {
    for (const DType dtype : kDTypes) {
      Fixture f(ctx, s, dtype);
      f.forward();
      const Reference r = reference(s, f.q_values, f.k_values, f.v_values);
      EXPECT_LE(relative_error(values_of(f.out), r.out), tolerance(dtype))
          << s.seq_len << " " << s.window;
      EXPECT_LE(relative_error(values_of(f.lse), r.lse),
                dtype == DType::fp64 ? 1e-13 : 1e-5);  // never rounded to bf16
    }
  }
}

TEST(Attention, BackwardEqualsFiniteDifferences) {
  DeviceContext ctx(Device::cpu);
  for (const AttentionShape& s :
       {make_shape(2, 7, 2, 1, 3), make_shape(1, 67, 2, 1, 2), make_shape(1, 67, 1, 1, 3, 5),
        make_shape(2, 7, 2, 2, 3, 0, 2), make_shape(1, 67, 2, 1, 2, 0, 5)}) {
    Fixture f(ctx, s, DType::fp64);
    f.forward();
    f.backward();
    const auto objective = [&](const Values& q, const Values& k, const Values& v) {
      return dot(f.dout_values, reference(s, q, k, v).out);
    };
    const Values dq = numeric_gradient(
        [&](const Values& x) { return objective(x, f.k_values, f.v_values); }, f.q_values);
    const Values dk = numeric_gradient(
        [&](const Values& x) { return objective(f.q_values, x, f.v_values); }, f.k_values);
    const Values dv = numeric_gradient(
        [&](const Values& x) { return objective(f.q_values, f.k_values, x); }, f.v_values);
    EXPECT_LE(relative_error(values_of(f.dq), dq), kGradientTolerance);
    EXPECT_LE(relative_error(values_of(f.dk), dk), kGradientTolerance);
    EXPECT_LE(relative_error(values_of(f.dv), dv), kGradientTolerance);
  }
}

// The lower precisions against fp64, over all shapes: every tile edge.
TEST(Attention, BackwardInLowerPrecision) {
  DeviceContext ctx(Device::cpu);
  for (const AttentionShape& s : kShapes) {
    Fixture exact(ctx, s, DType::fp64);
    exact.forward();
    exact.backward();
    for (const DType dtype : {DType::fp32, DType::bf16}) {
      Fixture f(ctx, s, dtype);
      f.forward();
      f.backward();
      const double limit = dtype == DType::fp32 ? 1e-5 : 3e-2;
      EXPECT_LE(relative_error(values_of(f.dq), values_of(exact.dq)), limit);
      EXPECT_LE(relative_error(values_of(f.dk), values_of(exact.dk)), limit);
      EXPECT_LE(relative_error(values_of(f.dv), values_of(exact.dv)), limit);
    }
  }
}

// Chunks of the sequence, as ranks of a context-parallel group have them: each chunk's queries meet
// the keys of one chunk after the other, in any order, and the results merge into the whole.
struct Chunks {
  std::vector<ops::AttentionSpan> queries, keys;
};
AttentionShape with(AttentionShape s, const Chunks& chunks) {
  s.queries = chunks.queries;
  s.keys = chunks.keys;
  s.seq_len = 0;
  for (const ops::AttentionSpan& span : s.queries) s.seq_len += span.length;
  return s;
}
// The rows of x that the spans name: x is (1 sequence, cols).
Tensor rows_of(DeviceContext& ctx, const Tensor& x, const std::vector<ops::AttentionSpan>& spans) {
  const Values all = values_of(x);
  const auto cols = static_cast<std::ptrdiff_t>(x.dim(1));
  Values picked;
  for (const ops::AttentionSpan& span : spans) {
    picked.insert(picked.end(), all.begin() + span.position * cols,
                  all.begin() + (span.position + span.length) * cols);
  }
  return make(ctx, {static_cast<int64_t>(picked.size()) / cols, cols}, x.dtype(), picked);
}
std::vector<ops::AttentionSpan> zig_zag(int64_t seq_len, int64_t ranks, int64_t rank) {
  const int64_t chunk = seq_len / (2 * ranks);
  return {{0, rank * chunk, chunk}, {chunk, (2 * ranks - 1 - rank) * chunk, chunk}};
}

TEST(Attention, ChunksMergeToTheWhole) {
  DeviceContext ctx(Device::cpu);
  constexpr int64_t kRanks = 3;
  for (const AttentionShape& s :
       {make_shape(1, 6, 2, 1, 3), make_shape(1, 402, 4, 2, 5), make_shape(1, 180, 2, 2, 8, 50),
        make_shape(1, 180, 2, 2, 9, 0, 5)}) {
    Fixture whole(ctx, s, DType::fp64);
    whole.forward();
    whole.backward();
    Tensor dk_sum[kRanks], dv_sum[kRanks];
    int64_t pairs = 0;
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      const auto mine = zig_zag(s.seq_len, kRanks, rank);
      const Tensor q = rows_of(ctx, whole.q, mine), dout = rows_of(ctx, whole.dout, mine);
      const Tensor out = filled(ctx, dout.shape(), DType::fp64, kPoison);
      const Tensor lse = filled(ctx, {q.dim(0), s.num_heads}, DType::fp64, kPoison);
      for (int64_t step = 0; step < kRanks; ++step) {  // others first: a query may see no key yet
        const auto theirs = zig_zag(s.seq_len, kRanks, (rank + step + 1) % kRanks);
        const AttentionShape part = with(s, {mine, theirs});
        pairs += ops::attention_pairs(part);
        ops::attention_forward(ctx, part, q, rows_of(ctx, whole.k, theirs),
                               rows_of(ctx, whole.v, theirs), out, lse,
                               step == 0 ? ops::Merge::overwrite : ops::Merge::accumulate);
      }
      EXPECT_LE(relative_error(values_of(out), values_of(rows_of(ctx, whole.out, mine))), 1e-13);
      EXPECT_LE(relative_error(values_of(lse), values_of(rows_of(ctx, whole.lse, mine))), 1e-13);

      const Tensor dq = filled(ctx, q.shape(), DType::fp64, 0.0);
      for (int64_t other = 0; other < kRanks; ++other) {
        const auto theirs = zig_zag(s.seq_len, kRanks, other);
        const Tensor k = rows_of(ctx, whole.k, theirs), v = rows_of(ctx, whole.v, theirs);
        const auto o = static_cast<size_t>(other);
        if (!dk_sum[o].defined()) {
          dk_sum[o] = filled(ctx, k.shape(), DType::fp64, 0.0);
          dv_sum[o] = filled(ctx, v.shape(), DType::fp64, 0.0);
        }
        ops::attention_backward(ctx, with(s, {mine, theirs}), dout, q, k, v, out, lse, dq,
                                dk_sum[o], dv_sum[o], ops::Merge::accumulate);
      }
      EXPECT_LE(relative_error(values_of(dq), values_of(rows_of(ctx, whole.dq, mine))), 1e-12);
    }
    EXPECT_EQ(pairs, ops::attention_pairs(s.seq_len, s.window));
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      const auto r = static_cast<size_t>(rank);
      const auto mine = zig_zag(s.seq_len, kRanks, rank);
      EXPECT_LE(relative_error(values_of(dk_sum[r]), values_of(rows_of(ctx, whole.dk, mine))),
                1e-12);
      EXPECT_LE(relative_error(values_of(dv_sum[r]), values_of(rows_of(ctx, whole.dv, mine))),
                1e-12);
    }
  }
}

// Rows [begin, end) of every sequence of x.
Tensor rows_of_each(DeviceContext& ctx, const AttentionShape& s, const Tensor& x, Range rows) {
  const Values all = values_of(x);
  Values picked;
  for (int64_t b = 0; b < s.batch; ++b) {
    const auto row_at = [&](int64_t row) {
      return all.begin() + static_cast<std::ptrdiff_t>((b * s.seq_len + row) * x.dim(1));
    };
    picked.insert(picked.end(), row_at(rows.begin), row_at(rows.end));
  }
  return make(ctx, {s.batch * rows.size(), x.dim(1)}, x.dtype(), picked);
}

// Queries `asking` of a sequence by their keys that were kept, those of a window alone.
void expect_rows_of_the_whole(const Fixture& whole, Range asking, double limit) {
  const AttentionShape& s = whole.s;
  DeviceContext& ctx = whole.ctx;
  const int64_t oldest = s.window == 0 ? 0 : std::max<int64_t>(0, asking.begin - s.window + 1);
  const Range kept = {oldest, asking.end};
  AttentionShape part = s;
  part.seq_len = asking.size();
  part.queries = {{0, asking.begin, asking.size()}};
  part.keys = {{0, kept.begin, kept.size()}};
  const Tensor q = rows_of_each(ctx, s, whole.q, asking), k = rows_of_each(ctx, s, whole.k, kept),
               v = rows_of_each(ctx, s, whole.v, kept);
  const Shape results = {q.dim(0), whole.out.dim(1)};
  const Tensor out = filled(ctx, results, q.dtype(), kPoison);
  const Tensor lse = filled(ctx, {q.dim(0), s.num_heads}, whole.lse.dtype(), kPoison);
  ops::attention_forward(ctx, part, q, k, v, out, lse);
  const auto expected = [&](const Tensor& x) { return values_of(rows_of_each(ctx, s, x, asking)); };
  EXPECT_LE(relative_error(values_of(out), expected(whole.out)), limit)
      << asking.begin << " to " << asking.end << " of " << s.seq_len << " by " << s.window;
  EXPECT_LE(relative_error(values_of(lse), expected(whole.lse)), std::min(limit, 1e-5));

  // The same in two parts that are merged, the newer keys first.
  if (kept.size() < 2) return;
  const int64_t middle = (kept.begin + kept.end) / 2;
  const Tensor sum = filled(ctx, results, whole.lse.dtype(), kPoison);
  for (const Range keys : {Range{middle, kept.end}, Range{kept.begin, middle}}) {
    part.keys = {{0, keys.begin, keys.size()}};
    ops::attention_forward(ctx, part, q, rows_of_each(ctx, s, whole.k, keys),
                           rows_of_each(ctx, s, whole.v, keys), sum, lse,
                           keys.begin == middle ? ops::Merge::overwrite : ops::Merge::accumulate);
  }
  EXPECT_LE(relative_error(values_of(sum), expected(whole.out)), limit);
}

// One row, a few and many; beyond a few the packed kernels take over.
TEST(Attention, QueriesOfATextThatGoesOn) {
  DeviceContext ctx(Device::cpu);
  for (const AttentionShape& s :
       {make_shape(2, 7, 2, 1, 3), make_shape(1, 131, 6, 2, 40), make_shape(2, 150, 4, 4, 64),
        make_shape(1, 131, 2, 2, 8, 17), make_shape(1, 131, 2, 1, 8, 1),
        make_shape(1, 131, 2, 2, 24, 0, 16)}) {
    for (const DType dtype : kDTypes) {
      Fixture whole(ctx, s, dtype);
      whole.forward();
      const double limit = dtype == DType::fp64 ? 1e-13 : tolerance(dtype);
      for (const int64_t rows : {1, 2, 8, 9, 100}) {
        for (const int64_t begin : {int64_t{0}, int64_t{1}, s.seq_len / 2, s.seq_len - rows}) {
          if (begin < 0 || begin + rows > s.seq_len) continue;
          expect_rows_of_the_whole(whole, {begin, begin + rows}, limit);
        }
      }
    }
  }
}

TEST(Attention, GradientsNeedAQueryForEachKey) {
  DeviceContext ctx(Device::cpu);
  Fixture f(ctx, make_shape(1, 5, 2, 1, 4), DType::fp32);
  f.s.seq_len = 1;
  f.s.queries = {{0, 4, 1}};
  f.s.keys = {{0, 0, 5}};
  const auto one = [](const Tensor& x) { return x.rows(0, 1); };
  ops::attention_forward(ctx, f.s, one(f.q), f.k, f.v, one(f.out), one(f.lse));
  EXPECT_THROW(ops::attention_backward(ctx, f.s, one(f.dout), one(f.q), f.k, f.v, one(f.out),
                                       one(f.lse), one(f.dq), f.dk, f.dv),
               std::logic_error);
}

// Each rank of the zig-zag has the same pairs in each step of the ring.
TEST(Attention, ZigZagIsBalanced) {
  constexpr int64_t kRanks = 4, kSeqLen = 48;
  const AttentionShape s = make_shape(1, kSeqLen, 1, 1, 1);
  for (int64_t step = 1; step < kRanks; ++step) {
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      const Chunks chunks = {zig_zag(kSeqLen, kRanks, rank),
                             zig_zag(kSeqLen, kRanks, (rank + step) % kRanks)};
      EXPECT_EQ(ops::attention_pairs(with(s, chunks)), 2 * 6 * 6);
    }
  }
}

// bf16 operands with running sums in fp32.
TEST(Attention, ResultsInTheStatisticDType) {
  DeviceContext ctx(Device::cpu);
  Fixture f(ctx, make_shape(2, 70, 2, 1, 8), DType::bf16);
  f.forward();
  const Tensor sum = filled(ctx, f.out.shape(), DType::fp32, kPoison);
  ops::attention_forward(ctx, f.s, f.q, f.k, f.v, sum, f.lse);
  EXPECT_LE(relative_error(values_of(sum), values_of(f.out)), tolerance_of(DType::bf16));
  EXPECT_NE(values_of(sum), values_of(f.out));
}

// Documents packed into a sequence attend as if each were alone.
TEST(Attention, DocumentsDoNotSeeEachOther) {
  DeviceContext ctx(Device::cpu);
  const AttentionShape s = make_shape(1, 150, 2, 1, 4);
  Fixture packed(ctx, s, DType::fp64);
  Values begins;
  const std::vector<int64_t> ends = {1, 70, 71, 150};
  for (int64_t i = 0, document = 0, begin = 0; i < s.seq_len; ++i) {
    if (i == ends[at(document)]) begin = ends[at(document++)];
    begins.push_back(static_cast<double>(begin));
  }
  packed.s.document_begin = make(ctx, {s.seq_len}, DType::int32, begins);
  packed.forward();
  packed.backward();
  int64_t begin = 0;
  for (const int64_t end : ends) {
    AttentionShape alone = s;
    alone.seq_len = end - begin;
    const auto part = [&](const Tensor& x) { return x.rows(begin, end); };
    const auto like = [&](const Tensor& x) {
      return filled(ctx, part(x).shape(), x.dtype(), kPoison);
    };
    const Tensor out = like(packed.out), lse = like(packed.lse), dq = like(packed.dq),
                 dk = like(packed.dk), dv = like(packed.dv);
    ops::attention_forward(ctx, alone, part(packed.q), part(packed.k), part(packed.v), out, lse);
    ops::attention_backward(ctx, alone, part(packed.dout), part(packed.q), part(packed.k),
                            part(packed.v), out, lse, dq, dk, dv);
    EXPECT_LE(relative_error(values_of(part(packed.out)), values_of(out)), 1e-13);
    EXPECT_LE(relative_error(values_of(part(packed.dq)), values_of(dq)), 1e-13);
    EXPECT_LE(relative_error(values_of(part(packed.dk)), values_of(dk)), 1e-13);
    EXPECT_LE(relative_error(values_of(part(packed.dv)), values_of(dv)), 1e-13);
    begin = end;
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  DeviceContext ctx(Device::cpu);
  Fixture f(ctx, {1, 70, 1, 1, 4, 500.0, 0}, DType::fp32);
  f.forward();
  f.backward();
  for (const Tensor& x : {f.out, f.lse, f.dq, f.dk, f.dv}) {
    for (const double value : values_of(x)) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(Attention, CountsNominalFlops) {
  EXPECT_EQ(ops::attention_pairs(5, 0), 15);
  EXPECT_EQ(ops::attention_pairs(5, 1), 5);
  EXPECT_EQ(ops::attention_pairs(5, 2), 9);
  EXPECT_EQ(ops::attention_pairs(5, 9), 15);
  EXPECT_EQ(ops::attention_pairs(0, 3), 0);
  DeviceContext ctx(Device::cpu);
  Fixture f(ctx, make_shape(3, 5, 4, 2, 7, 2), DType::fp32);
  f.forward();
  EXPECT_EQ(ctx.matmul_flops, 4 * 7 * 4 * 3 * 9);
  f.backward();
  EXPECT_EQ(ctx.matmul_flops, 12 * 7 * 4 * 3 * 9);
  ctx.matmul_flops = 0;
  Fixture narrow_values(ctx, make_shape(3, 5, 4, 2, 7, 2, 4), DType::fp32);
  narrow_values.forward();
  narrow_values.backward();
  EXPECT_EQ(ctx.matmul_flops, 6 * (7 + 4) * 4 * 3 * 9);
}

TEST(Attention, ThreadsDoNotChangeBits) {
  DeviceContext ctx(Device::cpu);
  Fixture f(ctx, make_shape(3, 130, 4, 2, 16), DType::fp32);
  expect_same_on_any_threads([&] {
    f.forward();
    f.backward();
    Values all = values_of(f.out);
    for (const Tensor& x : {f.lse, f.dq, f.dk, f.dv}) {
      for (const double value : values_of(x)) all.push_back(value);
    }
    return all;
  });
}

TEST(Attention, EmptyAndWrongShapes) {
  DeviceContext ctx(Device::cpu);
  Fixture none(ctx, make_shape(0, 5, 2, 1, 4), DType::fp32);
  none.forward();
  none.backward();
  Fixture f(ctx, make_shape(1, 5, 2, 1, 4), DType::fp32);
  f.s.num_kv_heads = 2;
  EXPECT_THROW(f.forward(), std::logic_error);
  f.s = make_shape(1, 5, 2, 1, 4);
  f.lse = filled(ctx, {5, 2}, DType::fp64, 0.0);
  EXPECT_THROW(f.forward(), std::logic_error);
}

}  // namespace
}  // namespace argosy
