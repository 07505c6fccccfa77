// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/host_copy.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/elementwise.h"

namespace argosy {
namespace {

using ops::AttentionShape;
using ops::AttentionSpan;

struct Case {
  AttentionShape shape;
  Values document_begin = {};  // of one sequence's rows
};

AttentionShape shape_of(int64_t batch, int64_t seq_len, int64_t heads, int64_t kv_heads,
                        int64_t head_dim, int64_t window = 0, int64_t value_dim = 0) {
  return {.batch = batch,
          .seq_len = seq_len,
          .num_heads = heads,
          .num_kv_heads = kv_heads,
          .head_dim = head_dim,
          .scale = 1 / std::sqrt(static_cast<double>(head_dim)),
          .window = window,
          .value_dim = value_dim};
}

Shape queries_of(const AttentionShape& s) {
  return {s.batch * s.seq_len, s.num_heads * s.head_dim};
}
Shape keys_of(const AttentionShape& s) {
  return {s.batch * ops::num_keys(s), s.num_kv_heads * s.head_dim};
}
Shape values_shape_of(const AttentionShape& s) {
  return {s.batch * ops::num_keys(s), s.num_kv_heads * ops::value_dim(s)};
}
Shape results_of(const AttentionShape& s) {
  return {s.batch * s.seq_len, s.num_heads * ops::value_dim(s)};
}

// Documents of 1, 2, 3, ... tokens.
Values documents(int64_t seq_len) {
  Values begins;
  for (int64_t begin = 0, length = 1; begin < seq_len; begin += length++) {
    for (int64_t i = begin; i < std::min(seq_len, begin + length); ++i)
      begins.push_back(static_cast<double>(begin));
  }
  return begins;
}

std::vector<Case> cases() {
  std::vector<Case> all = {{shape_of(0, 5, 2, 1, 8)},         {shape_of(2, 0, 2, 1, 8)},
                           {shape_of(1, 1, 1, 1, 1)},         {shape_of(2, 37, 4, 2, 8)},
                           {shape_of(1, 131, 3, 1, 20)},      {shape_of(1, 67, 2, 2, 65)},
                           {shape_of(1, 33, 1, 1, 131)},      {shape_of(1, 64, 2, 1, 64, 1)},
                           {shape_of(1, 131, 1, 1, 16, 40)},  {shape_of(2, 67, 2, 2, 24, 0, 16)},
                           {shape_of(1, 40, 2, 1, 20, 7, 70)}};
  all.push_back({shape_of(2, 67, 2, 1, 16), documents(67)});
  all.push_back({shape_of(1, 67, 2, 1, 16, 5), documents(67)});
  all.push_back({shape_of(2, 150, 4, 2, 64), documents(150)});
  all.push_back({shape_of(1, 67, 2, 2, 24, 0, 16), documents(67)});
  // A rank of two: chunks 0 and 3 of four ask, chunks 1 and 2 answer; some queries see no key.
  Case parts{shape_of(2, 66, 2, 1, 16)};
  parts.shape.queries = {{0, 0, 33}, {33, 99, 33}};
  parts.shape.keys = {{0, 33, 33}, {33, 66, 33}};
  all.push_back(parts);
  return all;
}

class AttentionCuda : public CudaOpTest {
 protected:
  // The shape with its documents on each device.
  AttentionShape on(const AttentionShape& shape, const Twin* documents, bool is_cuda) {
    AttentionShape s = shape;
    if (documents == nullptr) return s;
    s.document_begin = is_cuda ? documents->cuda : documents->cpu;
    s.document_rows = rows_of(documents->values, shape.seq_len, is_cuda ? *cuda : cpu);
    return s;
  }
  // The documents' first rows, the end, and two empty documents.
  Tensor rows_of(const Values& begins, int64_t seq_len, DeviceContext& ctx) {
    std::vector<int32_t> rows;
    for (size_t i = 0; i < begins.size(); ++i) {
      if (static_cast<int64_t>(i) % seq_len == static_cast<int64_t>(begins[i]))
        rows.push_back(static_cast<int32_t>(i));
    }
    rows.resize(rows.size() + 3, static_cast<int32_t>(begins.size()));
    const Tensor tensor =
        ctx.empty({static_cast<int64_t>(rows.size())}, DType::int32, MemoryCategory::buffers);
    copy_to_device(std::span<const int32_t>(rows), tensor);
    return tensor;
  }
  const Twin* documents_of(const Case& c) {
    if (c.document_begin.empty()) return nullptr;
    Values all;
    for (int64_t b = 0; b < c.shape.batch; ++b)
      all.insert(all.end(), c.document_begin.begin(), c.document_begin.end());
    return &ids({c.shape.batch * c.shape.seq_len}, all);
  }
};

// What cuDNN is told of documents.
TEST_F(AttentionCuda, OffsetsOfDocuments) {
  AttentionShape shape = shape_of(2, 5, 4, 2, 8, 0, 3);
  shape.document_rows = rows_of({0, 0, 2, 2, 2, 0, 1, 1, 1, 4}, 5, *cuda);
  const ops::detail::DocumentOffsets offsets = ops::detail::document_offsets(*cuda, shape);
  const std::vector<int32_t> rows = {0, 2, 5, 6, 9, 10, 10, 10};
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(copy_to_host<int32_t>(offsets.q)[i], rows[i] * 4 * 8);
    EXPECT_EQ(copy_to_host<int32_t>(offsets.k)[i], rows[i] * 2 * 8);
    EXPECT_EQ(copy_to_host<int32_t>(offsets.v)[i], rows[i] * 2 * 3);
    EXPECT_EQ(copy_to_host<int32_t>(offsets.out)[i], rows[i] * 4 * 3);
    EXPECT_EQ(copy_to_host<int32_t>(offsets.lse)[i], rows[i] * 4);
  }
  EXPECT_EQ(copy_to_host<int32_t>(offsets.lengths), (std::vector<int32_t>{2, 3, 1, 3, 1, 0, 0}));
}

TEST_F(AttentionCuda, Forward) {
  for (const DType dtype : kCudaDTypes) {
    for (const Case& c : cases()) {
      const AttentionShape& s = c.shape;
      const int64_t rows = s.batch * s.seq_len;
      const Twin *begins = documents_of(c), &q = operand(queries_of(s), dtype),
                 &k = operand(keys_of(s), dtype), &v = operand(values_shape_of(s), dtype),
                 &out = result(results_of(s), dtype),
                 &lse = result({rows, s.num_heads}, DType::fp32),
                 &sum = added_to(results_of(s), DType::fp32, dtype),
                 &sum_lse = added_to({rows, s.num_heads}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        const AttentionShape shape = on(s, begins, ctx.device() == Device::cuda);
        ops::attention_forward(ctx, shape, of(q), of(k), of(v), of(out), of(lse));
        ops::attention_forward(ctx, shape, of(q), of(k), of(v), of(sum), of(sum_lse),
                               ops::Merge::accumulate);
      });
    }
  }
}

// Few rows ask keys that were kept; with a window none of them older than it.
TEST_F(AttentionCuda, QueriesOfATextThatGoesOn) {
  struct Asking {
    AttentionShape shape;
    int64_t queries, keys, position;  // rows a sequence; where the first query stands
  };
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [shape, queries, keys, position] :
         {Asking{shape_of(1, 0, 4, 2, 16), 1, 67, 66}, Asking{shape_of(2, 0, 2, 1, 20), 3, 40, 37},
          Asking{shape_of(1, 0, 2, 2, 8, 17), 1, 17, 50},
          Asking{shape_of(1, 0, 2, 1, 64), 70, 99, 29}}) {
      AttentionShape s = shape;
      s.seq_len = queries;
      s.queries = {{0, position, queries}};
      s.keys = {{0, position + queries - keys, keys}};
      const Shape of_q{s.batch * queries, s.num_heads * s.head_dim},
          of_k{s.batch * keys, s.num_kv_heads * s.head_dim};
      const Twin &q = operand(of_q, dtype), &k = operand(of_k, dtype), &v = operand(of_k, dtype),
                 &out = result(of_q, dtype), &lse = result({of_q[0], s.num_heads}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::attention_forward(ctx, s, of(q), of(k), of(v), of(out), of(lse));
      });
    }
  }
}

TEST_F(AttentionCuda, Backward) {
  for (const DType dtype : kCudaDTypes) {
    for (const Case& c : cases()) {
      const AttentionShape& s = c.shape;
      const int64_t rows = s.batch * s.seq_len;
      // Who sees itself alone has gradients of q and k that are zero but for rounding.
      if (s.window == 1) continue;
      const Shape of_q = queries_of(s), of_k = keys_of(s), of_v = values_shape_of(s);
      const Twin *begins = documents_of(c), &dout = operand(results_of(s), dtype),
                 &q = operand(of_q, dtype), &k = operand(of_k, dtype), &v = operand(of_v, dtype);
      const Tensor out_cpu = filled(cpu, results_of(s), dtype, kPoison),
                   lse_cpu = filled(cpu, {rows, s.num_heads}, DType::fp32, kPoison);
      ops::attention_forward(cpu, on(s, begins, false), q.cpu, k.cpu, v.cpu, out_cpu, lse_cpu);
      const Twin &out = operand(results_of(s), dtype, values_of(out_cpu)),
                 &lse = operand({rows, s.num_heads}, DType::fp32, values_of(lse_cpu)),
                 &dq = result(of_q, dtype), &dk = result(of_k, dtype), &dv = result(of_v, dtype),
                 &dq_sum = added_to(of_q, DType::fp32, dtype),
                 &dk_sum = added_to(of_k, DType::fp32, dtype),
                 &dv_sum = added_to(of_v, DType::fp32, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        const AttentionShape shape = on(s, begins, ctx.device() == Device::cuda);
        ops::attention_backward(ctx, shape, of(dout), of(q), of(k), of(v), of(out), of(lse), of(dq),
                                of(dk), of(dv));
        ops::attention_backward(ctx, shape, of(dout), of(q), of(k), of(v), of(out), of(lse),
                                of(dq_sum), of(dk_sum), of(dv_sum), ops::Merge::accumulate);
      });
    }
  }
}

// On a GPU: cuDNN's kernels beside our own, which the tests above compare with the CPU's where the
// library takes the shape. Both give one log-sum-exp.
TEST_F(AttentionCuda, PlainKernelEqualsTheLibrarys) {
  for (const int64_t window : {0, 32}) {
    const AttentionShape s = shape_of(1, 96, 2, 1, 64, window);
    const Shape of_q{s.seq_len, 128}, of_k{s.seq_len, 64};
    const Twin &dout = operand(of_q, DType::bf16), &q = operand(of_q, DType::bf16),
               &k = operand(of_k, DType::bf16), &v = operand(of_k, DType::bf16),
               &out = result(of_q, DType::bf16), &lse = result({s.seq_len, 2}, DType::fp32),
               &dq = result(of_q, DType::bf16), &dk = result(of_k, DType::bf16),
               &dv = result(of_k, DType::bf16);
    for (const bool plain_only : {true, false}) {
      cuda_of(*cuda).state<ops::detail::CudaAttention>().plain_only = plain_only;
      expect_twins_agree_again([&](DeviceContext& ctx, const auto& of) {
        ops::attention_forward(ctx, s, of(q), of(k), of(v), of(out), of(lse));
        ops::attention_backward(ctx, s, of(dout), of(q), of(k), of(v), of(out), of(lse), of(dq),
                                of(dk), of(dv));
      });
    }
    forget_twins();
  }
}

// Each head of each sequence or document once, whatever a call gets.
TEST_F(AttentionCuda, PartsCoverACall) {
  for (const bool has_documents : {false, true}) {
    AttentionShape s = shape_of(5, 96, 12, 4, 64);
    if (has_documents) s.document_rows = cuda->empty({9}, DType::int32, MemoryCategory::buffers);
    const GradientCall call = ops::detail::gradient_call_of(s);
    EXPECT_EQ(call.count, has_documents ? 8 : 5);
    for (const GradientPart at_once : {GradientPart{12, 4}, {12, 1}, {9, 1}, {3, 1}, {12, 8}}) {
      std::vector<int> seen(static_cast<size_t>(call.count * s.num_heads));
      for (const ops::detail::AttentionPart& part : ops::detail::parts_of(s, at_once)) {
        const AttentionShape& own = part.shape;
        EXPECT_EQ(own.num_heads, 3 * own.num_kv_heads);
        EXPECT_EQ(part.first_head % 3, 0);
        const Tensor& rows = own.document_rows;
        const int64_t count = has_documents ? rows.size() - 1 : own.batch;
        const int64_t first = has_documents ? rows.data<int32_t>() - s.document_rows.data<int32_t>()
                                            : part.first_row / s.seq_len;
        for (int64_t i = first; i < first + count; ++i) {
          for (int64_t h = part.first_head; h < part.first_head + own.num_heads; ++h)
            ++seen.at(static_cast<size_t>(i * s.num_heads + h));
        }
      }
      EXPECT_EQ(seen, std::vector<int>(seen.size(), 1)) << at_once.heads << " " << at_once.count;
    }
  }
}

TEST_F(AttentionCuda, ScratchBeyondTheDeviceIsTheUsersMistake) {
  const GradientCall call{1, 1 << 18, 32, 8};
  const GradientPart least = gradient_part(call, 1);
  try {
    ops::detail::check_ordered_scratch(call, least, int64_t{141} << 30);
    FAIL() << "512 GiB of 141";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("512 GiB of scratch for 4 heads"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("--deterministic off"), std::string::npos);
  }
  ops::detail::check_ordered_scratch(call, least, int64_t{1024} << 30);
}

// On a GPU: sequences and documents, and their heads, some after the others as all at once.
TEST_F(AttentionCuda, PartsOfABatchHaveItsGradients) {
  auto& settings = cuda_of(*cuda).state<ops::detail::CudaAttention>();
  const Shape of_q{288, 256}, of_k{288, 128};
  uint32_t seed = 0;
  const auto random = [&](Shape shape) {
    const Tensor wide = cuda->empty(shape, DType::fp32, MemoryCategory::buffers),
                 x = cuda->empty(shape, DType::bf16, MemoryCategory::buffers);
    copy_from_doubles(random_values(shape.size(), ++seed), wide);
    ops::copy(*cuda, wide, x);
    return x;
  };
  const auto doubles = [&](const Tensor& x) {
    const Tensor wide = cuda->empty(x.shape(), DType::fp32, MemoryCategory::buffers);
    ops::copy(*cuda, x, wide);
    return copy_to_doubles(wide);
  };
  const Tensor dout = random(of_q), q = random(of_q), k = random(of_k), v = random(of_k);
  const Tensor lse = cuda->empty({288, 8}, DType::fp32, MemoryCategory::buffers);
  for (const bool has_documents : {false, true}) {
    AttentionShape s = shape_of(3, 96, 8, 4, 32);
    if (has_documents) {
      Values begins;
      for (int64_t b = 0; b < s.batch; ++b)
        for (const double begin : documents(s.seq_len)) begins.push_back(begin);
      const std::vector<int32_t> numbers(begins.begin(), begins.end());
      s.document_begin = cuda->empty({288}, DType::int32, MemoryCategory::buffers);
      copy_to_device(std::span<const int32_t>(numbers), s.document_begin);
      s.document_rows = rows_of(begins, s.seq_len, *cuda);
    }
    const Tensor out = random(of_q);
    ops::attention_forward(*cuda, s, q, k, v, out, lse);
    std::vector<Values> gradients[2];
    for (const bool in_parts : {false, true}) {
      settings.most_scratch_bytes = in_parts ? 1 : int64_t{1} << 40;
      const Tensor dq = random(of_q), dk = random(of_k), dv = random(of_k);
      ops::attention_backward(*cuda, s, dout, q, k, v, out, lse, dq, dk, dv);
      for (const Tensor& x : {dq, dk, dv}) gradients[in_parts].push_back(doubles(x));
    }
    for (size_t i = 0; i < gradients[0].size(); ++i)  // the library may choose by the batch's size
      EXPECT_LE(relative_error(gradients[1][i], gradients[0][i]), 1e-2) << has_documents << i;
  }
  settings.most_scratch_bytes = 0;
}

TEST_F(AttentionCuda, TurnsStatistics) {
  const AttentionShape s = shape_of(2, 5, 3, 1, 8);
  Values values(30);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  const Tensor lse = cuda->empty({10, 3}, DType::fp32, MemoryCategory::buffers),
               statistics = cuda->empty({2, 3, 5}, DType::fp32, MemoryCategory::buffers),
               back = cuda->empty({10, 3}, DType::fp32, MemoryCategory::buffers);
  copy_from_doubles(values, lse);
  ops::detail::lse_to_statistics(s, lse, statistics);
  ops::detail::statistics_to_lse(s, statistics, back);
  const Values turned = copy_to_doubles(statistics);
  EXPECT_EQ(turned[1], 3);    // sequence 0, head 0, row 1
  EXPECT_EQ(turned[5], 1);    // head 1, row 0
  EXPECT_EQ(turned[22], 22);  // sequence 1, head 1, row 2
  EXPECT_EQ(copy_to_doubles(back), values);
}

TEST_F(AttentionCuda, RefusesHeadsThatAreTooWide) {
  const AttentionShape s = shape_of(1, 2, 1, 1, 300);
  const Tensor x = cuda->empty({2, 300}, DType::fp32, MemoryCategory::buffers),
               lse = cuda->empty({2, 1}, DType::fp32, MemoryCategory::buffers);
  EXPECT_THROW(ops::attention_forward(*cuda, s, x, x, x, x, lse), ConfigError);
}

}  // namespace
}  // namespace argosy
