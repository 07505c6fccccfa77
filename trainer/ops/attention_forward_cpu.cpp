// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keeps a running maximum and sum per query row (Milakov & Gimelshein 2018; Dao et al. 2022).
#include <cmath>

#include "trainer/ops/attention_tiles.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops::detail {
namespace {

// Turns a row of scores into unnormalised probabilities and updates the row's maximum and sum.
// Returns the factor for what was summed with the old maximum.
template <typename A>
A online_softmax_row(A* scores, A& maximum, A& sum) {
  A highest = maximum;
#pragma omp simd reduction(max : highest)
  for (int64_t j = 0; j < kTile; ++j) highest = scores[j] > highest ? scores[j] : highest;
  // No visible key so far (a window): any finite shift gives zeros.
  const A shift = highest == -std::numeric_limits<A>::infinity() ? A(0) : highest;
  const A factor = simd_exp(maximum - shift);
  A row_sum = 0;
#pragma omp simd reduction(+ : row_sum)
  for (int64_t j = 0; j < kTile; ++j) {
    scores[j] = simd_exp(scores[j] - shift);
    row_sum += scores[j];
  }
  sum = sum * factor + row_sum;
  maximum = highest;
  return factor;
}

template <typename A>
struct Forward {
  Forward(const AttentionShape& shape, A* memory)
      : s(shape), padded(round_up(s.head_dim, kTileCols<A>)) {
    Arena<A> arena{memory};
    const int64_t tiles = (s.seq_len + kTile - 1) / kTile;
    keys = arena.take(tiles * s.head_dim * kTile);
    values = arena.take(tiles * kTile * padded);
    query = arena.take(kTile * padded);
    scores = arena.take(kTile * kTile);
    out = arena.take(kTile * padded);
    elements = arena.used;
  }

  template <typename T>
  void pack_keys(HeadView<T> k, HeadView<T> v) {
    for (int64_t t = 0; t * kTile < s.seq_len; ++t) {
      pack_columns(s, k, t * kTile, keys + t * s.head_dim * kTile);
      pack_rows(s, v, t * kTile, A(1), padded, values + t * kTile * padded);
    }
  }

  // Queries [begin, begin + kTile) of one head; lse: (seq_len) with a stride.
  template <typename T>
  void run_tile(HeadView<T> q, int64_t begin, HeadView<T> result, HeadView<A> lse) {
    constexpr A kInfinity = std::numeric_limits<A>::infinity();
    const int64_t rows = std::min(kTile, s.seq_len - begin);
    const int64_t tile_rows = round_up(rows, kTileRows);
    A maxima[kTile], sums[kTile];
    std::fill_n(maxima, kTile, -kInfinity);
    std::fill_n(sums, kTile, A(0));
    std::fill_n(out, kTile * padded, A(0));
    pack_rows(s, q, begin, static_cast<A>(s.scale), padded, query);
    const KeyTiles range = key_tiles(s, begin);
    for (int64_t t = range.first; t <= range.last; ++t) {
      std::fill_n(scores, kTile * kTile, A(0));
      add_product(tile_rows, kTile, s.head_dim, query, padded, 1, keys + t * s.head_dim * kTile,
                  kTile, scores, kTile);
      mask_scores(s, begin, t * kTile, -kInfinity, scores);
      for (int64_t r = 0; r < rows; ++r) {
        const A factor = online_softmax_row(scores + r * kTile, maxima[r], sums[r]);
        for (int64_t d = 0; d < padded; ++d) out[r * padded + d] *= factor;
      }
      add_product(tile_rows, padded, kTile, scores, kTile, 1, values + t * kTile * padded, padded,
                  out, padded);
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t d = 0; d < padded; ++d) out[r * padded + d] /= sums[r];
      lse.data[(begin + r) * lse.stride] = maxima[r] + std::log(sums[r]);
    }
    unpack_rows(s, out, padded, begin, A(1), result);
  }

  AttentionShape s;
  int64_t padded;  // head_dim in whole tile columns
  A *keys, *values, *query, *scores, *out;
  int64_t elements;  // of the workspace
};

}  // namespace

template <>
void attention_forward<Device::cpu>(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                                    const Tensor& k, const Tensor& v, const Tensor& out,
                                    const Tensor& lse) {
  dispatch_float(q.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t group = s.num_heads / s.num_kv_heads;
    const auto task = [&](Forward<A>& pass, int64_t batch, int64_t kv_head) {
      pass.pack_keys(head_of<T>(k, s, batch, kv_head), head_of<T>(v, s, batch, kv_head));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        for (int64_t begin = 0; begin < s.seq_len; begin += kTile) {
          pass.run_tile(head_of<T>(q, s, batch, head), begin, head_of<T>(out, s, batch, head),
                        lse_of<A>(lse, s, batch, head));
        }
      }
    };
    for_each_kv_head<Forward<A>, A>(ctx, s, lse.dtype(), task);
  });
}

}  // namespace argosy::ops::detail
