// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows that are looked up, turned, sorted, moved and dropped.
#include <algorithm>
#include <numeric>

#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/embedding.h"
#include "trainer/ops/permute.h"
#include "trainer/ops/rope.h"

namespace argosy {
namespace {

struct Case {
  int64_t rows, cols, offset;
};
constexpr Case kCases[] = {{0, 8, 0},    {1, 1, 0},    {37, 13, 0},
                           {37, 264, 0}, {61, 264, 1}, {5, 1032, 0}};

// Whole numbers in [low, high).
Values random_ids(int64_t size, int low, int high, uint32_t seed) {
  std::mt19937 generator(seed);
  Values ids(static_cast<size_t>(size));
  for (double& id : ids)
    id = low + static_cast<int>(generator() % static_cast<unsigned>(high - low));
  return ids;
}

class RowsCuda : public CudaOpTest {};

TEST_F(RowsCuda, Embedding) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const int64_t num_ids = 29, first_id = 100;  // some ids are of other ranks, some masked
      const Values values = random_ids(rows, 90, 140, 1);
      const Twin &id = ids({rows}, values), &table = operand({num_ids, cols}, dtype),
                 &y = result({rows, cols}, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::embedding_forward(ctx, of(id), of(table), first_id, of(y));
      });
      const Twin &id2 = ids({rows}, values), &dy = operand({rows, cols}, dtype),
                 &dtable = added_to({num_ids, cols}, DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::embedding_backward(ctx, of(dy), of(id2), first_id, of(dtable));
      });
    }
  }
}

// Several chunks of the sort, ids of three digits of it, runs of one id; sums in the order of rows
// are the CPU's to the bit.
TEST_F(RowsCuda, EmbeddingBackwardAddsInTheOrderOfRows) {
  const int64_t rows = 3001, cols = 3, num_ids = 70001;
  Values values = random_ids(rows, 0, num_ids, 2);
  for (size_t i = 0; i < values.size(); i += 2) values[i] = 65537 + static_cast<double>(i % 6);
  const Twin &id = ids({rows}, values), &dy = operand({rows, cols}, DType::bf16),
             &dtable = added_to({num_ids, cols}, DType::fp32);
  const Tensor on_cpu = dtable.cpu, on_cuda = dtable.cuda;
  expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
    ops::embedding_backward(ctx, of(dy), of(id), 0, of(dtable));
  });
  const Tensor copy = cpu.empty(on_cuda.shape(), DType::fp32, MemoryCategory::buffers);
  cuda->backend().download(on_cuda.raw(), copy.raw(), copy.bytes());
  EXPECT_EQ(values_of(copy), values_of(on_cpu));
}

TEST_F(RowsCuda, Positions) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const Values values = random_ids(rows, 0, 17, 3);
      const Twin &position = ids({rows}, values), &table = operand({17, cols}, dtype),
                 &y = added_to({rows, cols}, dtype), &dtable = added_to({17, cols}, DType::fp32),
                 &dy = operand({rows, cols}, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::add_positions(ctx, of(table), of(position), of(y));
        ops::positions_backward(ctx, of(dy), of(position), of(dtable));
      });
    }
  }
}

// Whole heads, and parts of them at places where packs of 16 bytes fit and do not.
TEST_F(RowsCuda, Rope) {
  const ops::RopePart parts[] = {{2, 0, 2},    {10, 0, 10},    {16, 0, 16}, {128, 0, 128},
                                 {128, 0, 64}, {192, 128, 64}, {24, 8, 16}, {24, 4, 16},
                                 {17, 0, 16},  {15, 3, 10}};
  for (const DType dtype : kCudaDTypes) {
    for (ops::RopePart part : parts) {
      const int64_t half = part.size / 2;
      std::vector<double> frequencies(static_cast<size_t>(half));
      for (size_t i = 0; i < frequencies.size(); ++i)
        frequencies[i] = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
      const ops::RopeTable tables[] = {
          ops::make_rope_table(cpu, frequencies, 41, DType::fp32, 1.1),
          ops::make_rope_table(*cuda, frequencies, 41, DType::fp32, 1.1)};
      for (const int64_t rows : {0, 1, 37}) {
        for (const bool inverse : {false, true}) {
          for (const bool interleaved : {false, true}) {
            part.interleaved = interleaved;
            const Twin &position = ids({rows}, random_ids(rows, 0, 41, 4)),
                       &x = added_to({rows, 3 * part.head_dim}, dtype);
            expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
              ops::rope(ctx, of(x), part, of(position),
                        tables[ctx.device() == Device::cuda ? 1 : 0], inverse);
            });
          }
        }
      }
    }
  }
}

TEST_F(RowsCuda, DropoutDropsTheSameElements) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      const Twin &x = added_to({rows, cols}, dtype),
                 &row = ids({rows}, random_ids(rows, -5, 1000, 5));
      const Twin& step = ids({1}, {12345});
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::dropout(ctx, of(x), of(row), {0x123456789abcdefu, 0xfedcba987u, of(step)}, 0.3);
      });
    }
  }
}

// order (s*k) with kept slots first, as sort_by_expert() gives it.
struct Routing {
  Values experts, order;
  int64_t kept;
};
Routing routing(DeviceContext& cpu, int64_t tokens, int64_t k, int num_experts, bool drops) {
  Routing r{random_ids(tokens * k, drops ? -1 : 0, num_experts, 6), {}, 0};
  const Tensor experts = make(cpu, {tokens * k}, DType::int32, r.experts),
               order = filled(cpu, {tokens * k}, DType::int32, -99);
  const std::vector<int64_t> counts = ops::sort_by_expert(cpu, experts, num_experts, order);
  r.kept = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  r.order = values_of(order);
  return r;
}

TEST_F(RowsCuda, SortsByExpert) {
  for (const int64_t slots : {0, 1, 31, 1999, 20011}) {
    for (const int num_experts : {1, 7, 255, 300}) {
      const Twin &experts = ids({slots}, random_ids(slots, -1, num_experts, 7)),
                 &order = result({slots}, DType::int32);
      std::vector<int64_t> counts[2];
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        counts[ctx.device() == Device::cuda ? 1 : 0] =
            ops::sort_by_expert(ctx, of(experts), num_experts, of(order));
      });
      EXPECT_EQ(counts[0], counts[1]);
    }
  }
}

TEST_F(RowsCuda, DropsBeyondCapacity) {
  const int64_t seq_len = 53, sequences = 3, num_experts = 5;
  for (const auto& [k, local] : {std::pair<int64_t, int64_t>{1, 90}, {2, 90}, {3, 90}, {2, 0}}) {
    for (const int64_t capacity : {1, 7, 100}) {
      Values token(static_cast<size_t>(seq_len * sequences));
      std::iota(token.begin(), token.end(), 0.0);
      std::shuffle(token.begin(), token.end(), std::mt19937(8));
      const int64_t all = seq_len * sequences, first = 20;
      const Twin &tokens = ids({all}, token),
                 &experts = ids({all, k}, random_ids(all * k, 0, num_experts, 9)),
                 &routed = result({local, k}, DType::int32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::drop_beyond_capacity(ctx, of(tokens), of(experts), num_experts, seq_len, capacity,
                                  first, of(routed));
      });
    }
  }
}

TEST_F(RowsCuda, RowsGoToExpertsAndBack) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [tokens, cols, begin] : kCases) {
      for (const int64_t k : {1, 2, 3}) {
        for (const bool drops : {false, true}) {
          offset = begin;
          const Routing r = routing(cpu, tokens, k, 5, drops);
          const Twin &order = ids({tokens * k}, r.order), &x = operand({tokens, cols}, dtype),
                     &y = result({r.kept, cols}, dtype), &drows = operand({r.kept, cols}, dtype),
                     &dx = added_to({tokens, cols}, dtype);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::dispatch_rows(ctx, of(x), of(order), k, of(y));
            ops::dispatch_rows_backward(ctx, of(drows), of(order), k, of(dx));
          });
          const Twin &order2 = ids({tokens * k}, r.order), &rows = operand({r.kept, cols}, dtype),
                     &weights = operand({tokens, k}, DType::fp32),
                     &combined = result({tokens, cols}, dtype),
                     &dy = operand({tokens, cols}, dtype), &drows2 = result({r.kept, cols}, dtype),
                     &dweights = result({tokens, k}, DType::fp32);
          expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
            ops::combine_rows(ctx, of(rows), of(order2), of(weights), of(combined));
            ops::combine_rows_backward(ctx, of(dy), of(rows), of(order2), of(weights), of(drows2),
                                       of(dweights));
          });
        }
      }
    }
  }
}

TEST_F(RowsCuda, PermutesAndSwaps) {
  for (const DType dtype : kCudaDTypes) {
    for (const auto& [rows, cols, begin] : kCases) {
      offset = begin;
      std::vector<int32_t> index(static_cast<size_t>(rows));
      std::iota(index.begin(), index.end(), 0);
      std::shuffle(index.begin(), index.end(), std::mt19937(10));
      const Twin &x = operand({rows, cols}, dtype), &y = result({rows, cols}, dtype),
                 &back = result({rows, cols}, dtype), &three = operand({rows, 3, cols}, dtype),
                 &swapped = result({3, rows, cols}, dtype);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::permute_rows(ctx, of(x), index, of(y));
        ops::unpermute_rows(ctx, of(x), index, of(back));
        ops::swap_leading(ctx, of(three), of(swapped));
      });
    }
  }
}

}  // namespace
}  // namespace argosy
