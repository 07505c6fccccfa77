// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Computes the probabilities again from the log-sum-exp (Dao et al. 2022, appendix B.4).
#include "trainer/ops/attention_packed_cpu.h"
#include "trainer/ops/attention_tiles.h"
#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops::detail {
namespace {

template <typename A>
struct Backward {
  Backward(const AttentionShape& shape, A* memory)
      : s(shape),
        key_tiles(tiles_of(s.keys)),
        padded(round_up(s.head_dim, kTileCols<A>)),
        padded_values(round_up(s.value_dim, kTileCols<A>)) {
    Arena<A> arena{memory};
    const auto tiles = static_cast<int64_t>(key_tiles.size());
    keys = arena.take(tiles * kTile * padded);
    key_columns = arena.take(tiles * s.head_dim * kTile);
    value_columns = arena.take(tiles * s.value_dim * kTile);
    dkeys = arena.take(tiles * kTile * padded);
    dvalues = arena.take(tiles * kTile * padded_values);
    query = arena.take(kTile * padded);
    dout = arena.take(kTile * padded_values);
    dquery = arena.take(kTile * padded);
    probs = arena.take(kTile * kTile);
    dscores = arena.take(kTile * kTile);
    elements = arena.used;
  }

  template <typename T>
  void pack_keys(HeadView<T> k, HeadView<T> v) {
    const auto tiles = static_cast<int64_t>(key_tiles.size());
    for (int64_t t = 0; t < tiles; ++t) {
      const Tile& tile = key_tiles[static_cast<size_t>(t)];
      pack_rows(k, tile, A(1), padded, keys + t * kTile * padded);
      pack_columns(k, tile, key_columns + t * s.head_dim * kTile);
      pack_columns(v, tile, value_columns + t * s.value_dim * kTile);
    }
    std::fill_n(dkeys, tiles * kTile * padded, A(0));
    std::fill_n(dvalues, tiles * kTile * padded_values, A(0));
  }

  // Gradients of the packed keys and values, to be written where `merge` says.
  template <typename O>
  void unpack_keys(HeadView<O> dk, HeadView<O> dv, Merge merge) const {
    for (size_t t = 0; t < key_tiles.size(); ++t) {
      const int64_t row = static_cast<int64_t>(t) * kTile;
      unpack_rows(dkeys + row * padded, padded, key_tiles[t], A(1), merge, dk);
      unpack_rows(dvalues + row * padded_values, padded_values, key_tiles[t], A(1), merge, dv);
    }
  }

  // lse of the rows, infinite (no probability) beyond the tile; deltas: sum of dout * out.
  template <typename T>
  void row_terms(const Tile& tile, HeadView<T> out, HeadView<A> lse, A* row_lse, A* deltas) const {
    std::fill_n(row_lse, kTile, std::numeric_limits<A>::infinity());
    std::fill_n(deltas, kTile, A(0));
    for (int64_t r = 0; r < tile.rows; ++r) {
      const T* row = out.data + (tile.row + r) * out.stride;
      A delta = 0;
#pragma omp simd reduction(+ : delta)
      for (int64_t d = 0; d < out.size; ++d) delta += dout[r * padded_values + d] * A(row[d]);
      deltas[r] = delta;
      row_lse[r] = lse.data[(tile.row + r) * lse.stride];
    }
  }

  // Probabilities and score gradients of the packed queries against key tile t.
  void score_gradients(const Tile& tile, const int32_t* begins, int64_t t, const A* row_lse,
                       const A* deltas) {
    const int64_t tile_rows = round_up(tile.rows, kTileRows);
    std::fill_n(probs, kTile * kTile, A(0));
    std::fill_n(dscores, kTile * kTile, A(0));
    add_product(tile_rows, kTile, s.head_dim, query, padded, 1,
                key_columns + t * s.head_dim * kTile, kTile, probs, kTile);
    add_product(tile_rows, kTile, s.value_dim, dout, padded_values, 1,
                value_columns + t * s.value_dim * kTile, kTile, dscores, kTile);
    mask_scores(s, begins, tile, key_tiles[static_cast<size_t>(t)],
                -std::numeric_limits<A>::infinity(), probs);
    for (int64_t r = 0; r < tile_rows; ++r) {
      A *p = probs + r * kTile, *ds = dscores + r * kTile;
      const A lse = row_lse[r], delta = deltas[r];
#pragma omp simd
      for (int64_t j = 0; j < kTile; ++j) {
        p[j] = simd_exp(p[j] - lse);
        ds[j] = p[j] * (ds[j] - delta);
      }
    }
  }

  template <typename T, typename O>
  void run_tile(HeadView<T> q, HeadView<T> out, HeadView<T> grad, HeadView<A> lse, const Tile& tile,
                const int32_t* begins, HeadView<O> dq, Merge merge) {
    const int64_t tile_rows = round_up(tile.rows, kTileRows);
    const A scale = static_cast<A>(s.scale);
    pack_rows(q, tile, scale, padded, query);
    pack_rows(grad, tile, A(1), padded_values, dout);
    A row_lse[kTile], deltas[kTile];
    row_terms(tile, out, lse, row_lse, deltas);
    std::fill_n(dquery, kTile * padded, A(0));
    for (int64_t t = 0; t < static_cast<int64_t>(key_tiles.size()); ++t) {
      if (!is_visible(s, begins, tile, key_tiles[static_cast<size_t>(t)])) continue;
      score_gradients(tile, begins, t, row_lse, deltas);
      A *dk = dkeys + t * kTile * padded, *dv = dvalues + t * kTile * padded_values;
      add_product(kTile, padded_values, tile_rows, probs, 1, kTile, dout, padded_values, dv,
                  padded_values);
      add_product(kTile, padded, tile_rows, dscores, 1, kTile, query, padded, dk, padded);
      add_product(tile_rows, padded, kTile, dscores, kTile, 1, keys + t * kTile * padded, padded,
                  dquery, padded);
    }
    unpack_rows(dquery, padded, tile, scale, merge, dq);
  }

  const AttentionShape& s;
  std::vector<Tile> key_tiles;
  int64_t padded, padded_values;  // head_dim and value_dim in whole tile columns
  A *keys, *key_columns, *value_columns, *dkeys, *dvalues;
  A *query, *dout, *dquery, *probs, *dscores;
  int64_t elements;  // of the workspace
};

}  // namespace

template <>
void attention_backward<Device::cpu>(DeviceContext& ctx, const AttentionShape& s,
                                     const Tensor& dout, const Tensor& q, const Tensor& k,
                                     const Tensor& v, const Tensor& out, const Tensor& lse,
                                     const Tensor& dq, const Tensor& dk, const Tensor& dv,
                                     Merge merge) {
  if (const CpuKernel* kernel = packed_kernel(q.dtype()))
    return packed_attention_backward(ctx, *kernel, s, dout, q, k, v, out, lse, dq, dk, dv, merge);
  const std::vector<Tile> query_tiles = tiles_of(s.queries);
  dispatch_result(q.dtype(), dq.dtype(), [&]<typename T, typename O>() {
    using A = Accumulator<T>;
    const int64_t group = s.num_heads / s.num_kv_heads;
    const auto task = [&](Backward<A>& pass, int64_t batch, int64_t kv_head) {
      const HeadIndex keys = {batch, kv_head, s.num_kv_heads};
      pass.pack_keys(head_of<T>(k, s, keys), head_of<T>(v, s, keys));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        const HeadIndex index = {batch, head, s.num_heads};
        for (const Tile& tile : query_tiles) {
          pass.run_tile(head_of<T>(q, s, index), head_of<T>(out, s, index),
                        head_of<T>(dout, s, index), lse_of<A>(lse, s, index), tile,
                        document_begins(s, batch), head_of<O>(dq, s, index), merge);
        }
      }
      pass.unpack_keys(head_of<O>(dk, s, keys), head_of<O>(dv, s, keys), merge);
    };
    const auto make = [&](A* memory) { return Backward<A>(s, memory); };
    for_each_kv_head<A>(ctx, s, lse.dtype(), make, task);
  });
}

}  // namespace argosy::ops::detail
