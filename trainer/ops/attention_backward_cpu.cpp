// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Computes the probabilities again from the log-sum-exp (Dao et al. 2022, appendix B.4).
#include "trainer/ops/attention_tiles.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops::detail {
namespace {

template <typename A>
struct Backward {
  Backward(const AttentionShape& shape, A* memory)
      : s(shape), padded(round_up(s.head_dim, kTileCols<A>)) {
    Arena<A> arena{memory};
    const int64_t tiles = (s.seq_len + kTile - 1) / kTile;
    keys = arena.take(tiles * kTile * padded);
    key_columns = arena.take(tiles * s.head_dim * kTile);
    value_columns = arena.take(tiles * s.head_dim * kTile);
    dkeys = arena.take(tiles * kTile * padded);
    dvalues = arena.take(tiles * kTile * padded);
    query = arena.take(kTile * padded);
    dout = arena.take(kTile * padded);
    dquery = arena.take(kTile * padded);
    probs = arena.take(kTile * kTile);
    dscores = arena.take(kTile * kTile);
    elements = arena.used;
  }

  template <typename T>
  void pack_keys(HeadView<T> k, HeadView<T> v) {
    const int64_t tiles = (s.seq_len + kTile - 1) / kTile;
    for (int64_t t = 0; t < tiles; ++t) {
      pack_rows(s, k, t * kTile, A(1), padded, keys + t * kTile * padded);
      pack_columns(s, k, t * kTile, key_columns + t * s.head_dim * kTile);
      pack_columns(s, v, t * kTile, value_columns + t * s.head_dim * kTile);
    }
    std::fill_n(dkeys, tiles * kTile * padded, A(0));
    std::fill_n(dvalues, tiles * kTile * padded, A(0));
  }

  // lse of the rows, infinite (no probability) beyond the sequence; deltas: sum of dout * out.
  template <typename T>
  void row_terms(int64_t begin, HeadView<T> out, HeadView<A> lse, A* row_lse, A* deltas) const {
    const int64_t rows = std::min(kTile, s.seq_len - begin);
    std::fill_n(row_lse, kTile, std::numeric_limits<A>::infinity());
    std::fill_n(deltas, kTile, A(0));
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = out.data + (begin + r) * out.stride;
      A delta = 0;
#pragma omp simd reduction(+ : delta)
      for (int64_t d = 0; d < s.head_dim; ++d) delta += dout[r * padded + d] * A(row[d]);
      deltas[r] = delta;
      row_lse[r] = lse.data[(begin + r) * lse.stride];
    }
  }

  // Probabilities and score gradients of the packed queries against key tile t.
  void score_gradients(int64_t begin, int64_t t, int64_t tile_rows, const A* row_lse,
                       const A* deltas) {
    std::fill_n(probs, kTile * kTile, A(0));
    std::fill_n(dscores, kTile * kTile, A(0));
    const int64_t offset = t * s.head_dim * kTile;
    add_product(tile_rows, kTile, s.head_dim, query, padded, 1, key_columns + offset, kTile, probs,
                kTile);
    add_product(tile_rows, kTile, s.head_dim, dout, padded, 1, value_columns + offset, kTile,
                dscores, kTile);
    mask_scores(s, begin, t * kTile, -std::numeric_limits<A>::infinity(), probs);
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

  template <typename T>
  void run_tile(HeadView<T> q, HeadView<T> out, HeadView<T> grad, HeadView<A> lse, int64_t begin,
                HeadView<T> dq) {
    const int64_t tile_rows = round_up(std::min(kTile, s.seq_len - begin), kTileRows);
    const A scale = static_cast<A>(s.scale);
    pack_rows(s, q, begin, scale, padded, query);
    pack_rows(s, grad, begin, A(1), padded, dout);
    A row_lse[kTile], deltas[kTile];
    row_terms(begin, out, lse, row_lse, deltas);
    std::fill_n(dquery, kTile * padded, A(0));
    const KeyTiles range = key_tiles(s, begin);
    for (int64_t t = range.first; t <= range.last; ++t) {
      score_gradients(begin, t, tile_rows, row_lse, deltas);
      A *dk = dkeys + t * kTile * padded, *dv = dvalues + t * kTile * padded;
      add_product(kTile, padded, tile_rows, probs, 1, kTile, dout, padded, dv, padded);
      add_product(kTile, padded, tile_rows, dscores, 1, kTile, query, padded, dk, padded);
      add_product(tile_rows, padded, kTile, dscores, kTile, 1, keys + t * kTile * padded, padded,
                  dquery, padded);
    }
    unpack_rows(s, dquery, padded, begin, scale, dq);
  }

  AttentionShape s;
  int64_t padded;  // head_dim in whole tile columns
  A *keys, *key_columns, *value_columns, *dkeys, *dvalues;
  A *query, *dout, *dquery, *probs, *dscores;
  int64_t elements;  // of the workspace
};

}  // namespace

template <>
void attention_backward<Device::cpu>(DeviceContext& ctx, const AttentionShape& s,
                                     const Tensor& dout, const Tensor& q, const Tensor& k,
                                     const Tensor& v, const Tensor& out, const Tensor& lse,
                                     const Tensor& dq, const Tensor& dk, const Tensor& dv) {
  dispatch_float(q.dtype(), [&]<typename T>() {
    using A = Accumulator<T>;
    const int64_t group = s.num_heads / s.num_kv_heads;
    const auto task = [&](Backward<A>& pass, int64_t batch, int64_t kv_head) {
      pass.pack_keys(head_of<T>(k, s, batch, kv_head), head_of<T>(v, s, batch, kv_head));
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        for (int64_t begin = 0; begin < s.seq_len; begin += kTile) {
          pass.run_tile(head_of<T>(q, s, batch, head), head_of<T>(out, s, batch, head),
                        head_of<T>(dout, s, batch, head), lse_of<A>(lse, s, batch, head), begin,
                        head_of<T>(dq, s, batch, head));
        }
      }
      for (int64_t begin = 0; begin < s.seq_len; begin += kTile) {
        unpack_rows(s, pass.dkeys + begin * pass.padded, pass.padded, begin, A(1),
                    head_of<T>(dk, s, batch, kv_head));
        unpack_rows(s, pass.dvalues + begin * pass.padded, pass.padded, begin, A(1),
                    head_of<T>(dv, s, batch, kv_head));
      }
    };
    for_each_kv_head<Backward<A>, A>(ctx, s, lse.dtype(), task);
  });
}

}  // namespace argosy::ops::detail
