// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention_decoding_cpu.h"

#include <cmath>

#include "planner/spec/mesh.h"
#include "trainer/ops/attention_tiles.h"

namespace argosy::ops::detail {
namespace {

// With more, packed keys serve enough rows.
constexpr int64_t kFewQueries = 8;

// One query row of one head at a time, in a thread's memory.
template <typename A>
struct DecodingPass {
  DecodingPass(const AttentionShape& shape, A* memory) : s(shape) {
    Arena<A> arena{memory};
    scores = arena.take(num_keys(s));
    query = arena.take(s.head_dim);
    sums = arena.take(s.value_dim);
    elements = arena.used;
  }

  // Rows of a span's keys that the query sees.
  static Range visible(const AttentionSpan& keys, int64_t oldest, int64_t position) {
    const int64_t first = std::max(oldest, keys.position) - keys.position;
    const int64_t end = std::min(position + 1 - keys.position, keys.length);
    return {keys.row + first, keys.row + std::max(first, end)};
  }

  // Asks for the row that comes kRowsAhead later: those of a head lie far apart.
  template <typename T>
  void ask_ahead(HeadView<T> x, int64_t row) const {
    constexpr int64_t kRowsAhead = 16, kLineBytes = 64;
    const auto* from = reinterpret_cast<const char*>(x.data + (row + kRowsAhead) * x.stride);
    const int64_t bytes = x.size * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < bytes; i += kLineBytes) __builtin_prefetch(from + i);
  }

  // scores of the rows, and their maximum or `highest`.
  template <typename T>
  A multiply_keys(HeadView<T> k, Range rows, A highest) {
    const A* q = query;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      ask_ahead(k, row);
      const T* key = k.data + row * k.stride;
      scores[row] = sum_in_lanes<A>(s.head_dim, [&](int64_t d) { return q[d] * A(key[d]); });
      highest = std::max(highest, scores[row]);
    }
    return highest;
  }

  // sums += the rows' values by unnormalised probabilities, whose own sum is returned. Four rows at
  // a time: the sums are read and written once for them.
  template <typename T>
  A add_values(HeadView<T> v, Range rows, A shift) {
    A sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      scores[row] = simd_exp(scores[row] - shift);
      sum += scores[row];
    }
    int64_t row = rows.begin;
    for (; row + 4 <= rows.end; row += 4) {
      const T *a = v.data + row * v.stride, *b = a + v.stride, *c = b + v.stride, *d = c + v.stride;
      const A* w = scores + row;
      for (int64_t i = 0; i < 4; ++i) ask_ahead(v, row + i);
#pragma omp simd
      for (int64_t i = 0; i < v.size; ++i)
        sums[i] += w[0] * A(a[i]) + w[1] * A(b[i]) + w[2] * A(c[i]) + w[3] * A(d[i]);
    }
    for (; row < rows.end; ++row) {
      const T* value = v.data + row * v.stride;
      const A weight = scores[row];
#pragma omp simd
      for (int64_t i = 0; i < v.size; ++i) sums[i] += weight * A(value[i]);
    }
    return sum;
  }

  // A query at `position` that sees keys from `oldest` on. `lse` and `out` hold what is known of
  // other keys when they are merged with.
  template <typename T, typename O>
  void run(const T* q, HeadView<T> k, HeadView<T> v, int64_t oldest, int64_t position, O* out,
           A& lse, Merge merge) {
    constexpr A kLowest = -std::numeric_limits<A>::infinity();
    for (int64_t d = 0; d < s.head_dim; ++d) query[d] = static_cast<A>(s.scale) * A(q[d]);
    A highest = merge == Merge::accumulate ? lse : kLowest;
    for (const AttentionSpan& keys : s.keys)
      highest = multiply_keys(k, visible(keys, oldest, position), highest);
    const A shift = highest == kLowest ? A(0) : highest;  // no visible key: zeros
    const A before = merge == Merge::accumulate ? std::exp(lse - shift) : A(0);
    for (int64_t d = 0; d < s.value_dim; ++d) sums[d] = before > 0 ? before * A(out[d]) : A(0);
    A sum = before;
    for (const AttentionSpan& keys : s.keys)
      sum += add_values(v, visible(keys, oldest, position), shift);
    const A weight = sum > 0 ? 1 / sum : A(0);
    for (int64_t d = 0; d < s.value_dim; ++d) store(out[d], weight * sums[d]);
    lse = highest == kLowest ? kLowest : shift + std::log(sum);
  }

  const AttentionShape& s;
  A *scores, *query, *sums;
  int64_t elements;  // of the workspace
};

}  // namespace

bool is_decoding(const AttentionShape& s) {
  return s.seq_len <= kFewQueries && num_keys(s) > s.seq_len;
}

void decoding_attention_forward(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                                const Tensor& k, const Tensor& v, const Tensor& out,
                                const Tensor& lse, Merge merge) {
  dispatch_result(q.dtype(), out.dtype(), [&]<typename T, typename O>() {
    using A = Accumulator<T>;
    const int64_t group = s.num_heads / s.num_kv_heads;
    const auto task = [&](DecodingPass<A>& pass, int64_t batch, int64_t kv_head) {
      const HeadIndex kv = {batch, kv_head, s.num_kv_heads};
      const HeadView<T> keys = head_of<T>(k, s, kv), values = head_of<T>(v, s, kv);
      const int32_t* begins = document_begins(s, batch);
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        const HeadIndex index = {batch, head, s.num_heads};
        const HeadView<T> queries = head_of<T>(q, s, index);
        const HeadView<O> results = head_of<O>(out, s, index);
        const HeadView<A> head_lse = lse_of<A>(lse, s, index);
        for (const Tile& query : tiles_of(s.queries, 1)) {
          pass.run(queries.data + query.row * queries.stride, keys, values,
                   oldest_key(s, begins, query.row, query.position), query.position,
                   results.data + query.row * results.stride,
                   head_lse.data[query.row * head_lse.stride], merge);
        }
      }
    };
    const auto make = [&](A* memory) { return DecodingPass<A>(s, memory); };
    for_each_kv_head<A>(ctx, s, lse.dtype(), make, task, k.size());
  });
}

}  // namespace argosy::ops::detail
