// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keeps a running maximum and sum per query row (Milakov & Gimelshein 2018; Dao et al. 2022).
#include <cmath>

#include "trainer/ops/attention_decoding_cpu.h"
#include "trainer/ops/attention_packed_cpu.h"
#include "trainer/ops/attention_tiles.h"
#include "trainer/ops/cpu_kernels.h"
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
      : s(shape),
        key_tiles(tiles_of(s.keys)),
        padded(round_up(s.head_dim, kTileCols<A>)),
        padded_values(round_up(s.value_dim, kTileCols<A>)) {
    Arena<A> arena{memory};
    const auto tiles = static_cast<int64_t>(key_tiles.size());
    keys = arena.take(tiles * s.head_dim * kTile);
    values = arena.take(tiles * kTile * padded_values);
    query = arena.take(kTile * padded);
    scores = arena.take(kTile * kTile);
    out = arena.take(kTile * padded_values);
    elements = arena.used;
  }

  template <typename T>
  void pack_keys(HeadView<T> k, HeadView<T> v) {
    for (size_t t = 0; t < key_tiles.size(); ++t) {
      const auto i = static_cast<int64_t>(t);
      pack_columns(k, key_tiles[t], keys + i * s.head_dim * kTile);
      pack_rows(v, key_tiles[t], A(1), padded_values, values + i * kTile * padded_values);
    }
  }

  // What is known of the tile's rows before these keys: nothing, or the result over other keys,
  // which is the running state with its log-sum-exp as the maximum and a sum of 1.
  template <typename O>
  void start(const Tile& tile, HeadView<O> result, HeadView<A> lse, Merge merge, A* maxima,
             A* sums) {
    std::fill_n(maxima, kTile, -std::numeric_limits<A>::infinity());
    std::fill_n(sums, kTile, A(0));
    std::fill_n(out, kTile * padded_values, A(0));
    if (merge == Merge::overwrite) return;
    for (int64_t r = 0; r < tile.rows; ++r) {
      maxima[r] = lse.data[(tile.row + r) * lse.stride];
      sums[r] = 1;
    }
    pack_rows(result, tile, A(1), padded_values, out);
  }

  template <typename O>
  void finish(const Tile& tile, const A* maxima, const A* sums, HeadView<O> result,
              HeadView<A> lse) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      const A weight = sums[r] > 0 ? 1 / sums[r] : A(0);  // 0: no key was visible
      for (int64_t d = 0; d < padded_values; ++d) out[r * padded_values + d] *= weight;
      lse.data[(tile.row + r) * lse.stride] = maxima[r] + std::log(sums[r]);
    }
    unpack_rows(out, padded_values, tile, A(1), Merge::overwrite, result);
  }

  // The tile's queries of one head; begins: as document_begins(); lse: (seq_len) with a stride.
  template <typename T, typename O>
  void run_tile(HeadView<T> q, const Tile& tile, const int32_t* begins, HeadView<O> result,
                HeadView<A> lse, Merge merge) {
    const int64_t tile_rows = round_up(tile.rows, kTileRows);
    A maxima[kTile], sums[kTile];
    start(tile, result, lse, merge, maxima, sums);
    pack_rows(q, tile, static_cast<A>(s.scale), padded, query);
    for (size_t t = 0; t < key_tiles.size(); ++t) {
      if (!is_visible(s, begins, tile, key_tiles[t])) continue;
      const auto i = static_cast<int64_t>(t);
      std::fill_n(scores, kTile * kTile, A(0));
      add_product(tile_rows, kTile, s.head_dim, query, padded, 1, keys + i * s.head_dim * kTile,
                  kTile, scores, kTile);
      mask_scores(s, begins, tile, key_tiles[t], -std::numeric_limits<A>::infinity(), scores);
      for (int64_t r = 0; r < tile.rows; ++r) {
        const A factor = online_softmax_row(scores + r * kTile, maxima[r], sums[r]);
        for (int64_t d = 0; d < padded_values; ++d) out[r * padded_values + d] *= factor;
      }
      add_product(tile_rows, padded_values, kTile, scores, kTile, 1,
                  values + i * kTile * padded_values, padded_values, out, padded_values);
    }
    finish(tile, maxima, sums, result, lse);
  }

  const AttentionShape& s;
  std::vector<Tile> key_tiles;
  int64_t padded, padded_values;  // head_dim and value_dim in whole tile columns
  A *keys, *values, *query, *scores, *out;
  int64_t elements;  // of the workspace
};

}  // namespace

template <>
void attention_forward<Device::cpu>(DeviceContext& ctx, const AttentionShape& s, const Tensor& q,
                                    const Tensor& k, const Tensor& v, const Tensor& out,
                                    const Tensor& lse, Merge merge) {
  if (is_decoding(s)) return decoding_attention_forward(ctx, s, q, k, v, out, lse, merge);
  if (const CpuKernel* kernel = packed_kernel(q.dtype()))
    return packed_attention_forward(ctx, *kernel, s, q, k, v, out, lse, merge);
  const std::vector<Tile> query_tiles = tiles_of(s.queries);
  dispatch_result(q.dtype(), out.dtype(), [&]<typename T, typename O>() {
    using A = Accumulator<T>;
    const int64_t group = s.num_heads / s.num_kv_heads;
    const auto task = [&](Forward<A>& pass, int64_t batch, int64_t kv_head) {
      const HeadIndex keys = {batch, kv_head, s.num_kv_heads};
      pass.pack_keys(head_of<T>(k, s, keys), head_of<T>(v, s, keys));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        const HeadIndex index = {batch, head, s.num_heads};
        for (const Tile& tile : query_tiles) {
          pass.run_tile(head_of<T>(q, s, index), tile, document_begins(s, batch),
                        head_of<O>(out, s, index), lse_of<A>(lse, s, index), merge);
        }
      }
    };
    const auto make = [&](A* memory) { return Forward<A>(s, memory); };
    for_each_kv_head<A>(ctx, s, lse.dtype(), make, task);
  });
}

template <>
std::string attention_description<Device::cpu>() {
  return packed_kernel(DType::bf16) == nullptr ? "by plain loops" : "by our packed kernels";
}

}  // namespace argosy::ops::detail
