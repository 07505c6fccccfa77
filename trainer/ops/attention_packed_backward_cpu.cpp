// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// dk and dv are summed transposed, (head_dim, keys): then probabilities and score gradients are
// columns of B, which no product has to transpose.
#include "trainer/ops/attention_packed_tiles.h"

namespace argosy::ops::detail {
namespace {

// In 16 sums, so that it vectorises.
template <typename T>
float dot(const T* a, const T* b, int64_t size) {
  constexpr int64_t kLanes = 16;
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j)
      sums[j] += static_cast<float>(a[i + j]) * static_cast<float>(b[i + j]);
  }
  for (; i < size; ++i) sums[0] += static_cast<float>(a[i]) * static_cast<float>(b[i]);
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

struct PackedBackward : PackedPass {
  PackedBackward(const CpuKernel& k, const AttentionShape& shape, float* memory)
      : PackedPass(k, shape),
        key_rows(panels_of(s.head_dim, kernel.panel_rows)),
        value_rows(panels_of(s.value_dim, kernel.panel_rows)) {
    Arena<float> arena{memory};
    const int64_t tiles = num_key_tiles(), key_words = kernel.words(kScoreKeys);
    const int64_t row_words = kernel.words(kScoreRows);
    keys = take(arena, tiles * 2, kPanelColumns, keys_dim.words);
    values = take(arena, tiles * 2, kPanelColumns, values_dim.words);
    keys_by_dim = take(arena, tiles * keys_dim.panels, kPanelColumns, key_words);
    dkeys = arena.take(tiles * kScoreKeys * s.head_dim);
    dvalues = arena.take(tiles * kScoreKeys * s.value_dim);
    query = take(arena, row_panels, kernel.panel_rows, keys_dim.words);
    dout = take(arena, row_panels, kernel.panel_rows, values_dim.words);
    query_by_dim = take(arena, key_rows, kernel.panel_rows, row_words);
    dout_by_dim = take(arena, value_rows, kernel.panel_rows, row_words);
    dscore_rows = take(arena, row_panels, kernel.panel_rows, key_words);
    scores = arena.take(kScoreRows * kScoreKeys);
    dscores = arena.take(kScoreRows * kScoreKeys);
    score_words = take(arena, 2, kPanelColumns, row_words);
    dscore_words = take(arena, 2, kPanelColumns, row_words);
    dquery = arena.take(std::max(keys_dim.panels, values_dim.panels) * kScoreRows * kPanelColumns);
    elements = arena.used;
    if (memory == nullptr) return;
    // AMX multiplies whole chunks: words that no row wrote must be numbers.
    std::fill_n(score_words.data, 2 * score_words.panel_size, 0.0f);
    std::fill_n(dscore_words.data, 2 * dscore_words.panel_size, 0.0f);
  }

  void pack_keys(const MatrixView& k, const MatrixView& k_by_dim, const MatrixView& v) {
    for (int64_t t = 0; t < num_key_tiles(); ++t) {
      const Range rows = {key_tile(t).row, key_tile(t).row + key_tile(t).rows};
      kernel.pack_columns(k, rows, {0, s.head_dim}, keys.panel(2 * t));
      kernel.pack_columns(v, rows, {0, s.value_dim}, values.panel(2 * t));
      kernel.pack_columns(k_by_dim, {0, s.head_dim}, rows, keys_by_dim.panel(t * keys_dim.panels));
    }
    std::fill_n(dkeys, num_key_tiles() * kScoreKeys * s.head_dim, 0.0f);
    std::fill_n(dvalues, num_key_tiles() * kScoreKeys * s.value_dim, 0.0f);
  }

  // Sums (to.size, keys) of all tiles, in panels of 32 keys, times alpha to the rows of `to`.
  void unpack_keys(const float* sums, float alpha, Merge merge, const ResultView& to) {
    const int64_t panel_stride = panel_bytes(kPanelColumns, kPanelColumns) / kWordBytes;
    for (int64_t t = 0; t < num_key_tiles(); ++t) {
      for (int64_t begin = 0; begin < key_tile(t).rows; begin += kPanelColumns) {
        const float* from = sums + (t * kScoreKeys + begin) * to.size;
        const int64_t rows = std::min(kPanelColumns, key_tile(t).rows - begin);
        // [panel of 32 dims][32 keys][32]: the transpose, by way of the scores' memory.
        for (int64_t p = 0; p < panels_of(to.size, kPanelColumns); ++p) {
          const Range dims = {p * kPanelColumns, std::min((p + 1) * kPanelColumns, to.size)};
          fp32_kernel.pack_columns({from, DType::fp32, kPanelColumns, false}, dims,
                                   {0, kPanelColumns}, dquery + p * panel_stride);
        }
        for (int64_t r = 0; r < rows; ++r) {
          write_row(dquery + r * kPanelColumns, panel_stride, alpha, merge == Merge::accumulate, to,
                    key_tile(t).row + begin + r);
        }
      }
    }
  }

  // Log-sum-exps of the tile's rows, and deltas: sums of dout * out.
  template <typename T>
  void row_terms(const Tile& tile, HeadView<T> grad, HeadView<T> out, HeadView<float> lse) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      const T *g = grad.data + (tile.row + r) * grad.stride,
              *o = out.data + (tile.row + r) * out.stride;
      deltas[r] = dot(g, o, out.size);
      row_lse[r] = lse.data[(tile.row + r) * lse.stride];
    }
  }

  // sums (dims, keys) += a (dims, rows) words (rows, keys), for the panels that are seen.
  void add_over_rows(const Tile& query_tile, const Tile& key, int64_t dims, const PackedOperand& a,
                     const float* words, int64_t words_stride, float* sums) const {
    const int64_t num_keys = keys_before(query_tile, key, query_tile.rows);
    const int64_t num_words = kernel.words(query_tile.rows);
    for (int64_t p = 0; p * kPanelColumns < num_keys; ++p) {
      for (int64_t dim = 0, i = 0; dim < dims; dim += kernel.panel_rows, ++i) {
        kernel.multiply(std::min(kernel.panel_rows, dims - dim), num_words, a.panel(i),
                        words + p * words_stride, sums + (p * dims + dim) * kPanelColumns,
                        kPanelColumns, true);
      }
    }
  }

  // The tile's queries of one head, after row_terms().
  void run_tile(const MatrixView& q, const MatrixView& q_by_dim, const MatrixView& grad,
                const MatrixView& grad_by_dim, const Tile& tile, const int32_t* begins) {
    const Range rows = {tile.row, tile.row + tile.rows};
    const Range dims = {0, s.head_dim}, value_dims = {0, s.value_dim};
    pack_rows(q, rows, dims, query);
    pack_rows(grad, rows, value_dims, dout);
    pack_rows(q_by_dim, dims, rows, packed_for(tile, query_by_dim));
    pack_rows(grad_by_dim, value_dims, rows, packed_for(tile, dout_by_dim));
    std::fill_n(dquery, keys_dim.panels * kScoreRows * kPanelColumns, 0.0f);
    for (int64_t t = 0; t < num_key_tiles(); ++t) {
      if (is_visible(s, begins, tile, key_tile(t))) run_pair(tile, begins, t);
    }
  }

  // Panels as long as the tile has rows.
  PackedOperand packed_for(const Tile& tile, const PackedOperand& room) const {
    return {room.data, panel_bytes(kernel.panel_rows, kernel.words(tile.rows)) / kWordBytes};
  }

  void run_pair(const Tile& tile, const int32_t* begins, int64_t t) {
    const Tile& key = key_tile(t);
    multiply_scores(tile, key, keys_dim.words, query, keys.panel(2 * t), scores);
    multiply_scores(tile, key, values_dim.words, dout, values.panel(2 * t), dscores);
    const bool in_place = kernel.dtype == DType::fp32;
    float *p = in_place ? scores : score_words.data, *ds = in_place ? dscores : dscore_words.data;
    const int64_t stride = kernel.words(kScoreRows) * kPanelColumns;
    kernel.gradients(score_tile(begins, tile, key, scores, first, last), dscores, row_lse, deltas,
                     p, ds, dscore_rows.data);
    const int64_t first_key = t * kScoreKeys;
    add_over_rows(tile, key, s.value_dim, packed_for(tile, dout_by_dim), p, stride,
                  dvalues + first_key * s.value_dim);
    add_over_rows(tile, key, s.head_dim, packed_for(tile, query_by_dim), ds, stride,
                  dkeys + first_key * s.head_dim);
    add_over_keys(tile, key, dscore_rows, keys_by_dim.panel(t * keys_dim.panels), keys_dim.panels,
                  dquery);
  }

  void finish(const Tile& tile, const ResultView& dq, Merge merge) const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      write_row(dquery + r * kPanelColumns, kScoreRows * kPanelColumns, static_cast<float>(s.scale),
                merge == Merge::accumulate, dq, tile.row + r);
    }
  }

  int64_t key_rows, value_rows;  // panels of head_dim and of value_dim as rows
  PackedOperand keys, values, keys_by_dim, query, dout, query_by_dim, dout_by_dim, dscore_rows;
  PackedOperand score_words, dscore_words;  // unused where the scores serve
  float *dkeys, *dvalues, *scores, *dscores, *dquery;
  float row_lse[kScoreRows], deltas[kScoreRows];
  int32_t first[kScoreRows], last[kScoreRows];
  int64_t elements;  // of the workspace
};

}  // namespace

void packed_attention_backward(DeviceContext& ctx, const CpuKernel& kernel, const AttentionShape& s,
                               const Tensor& dout, const Tensor& q, const Tensor& k,
                               const Tensor& v, const Tensor& out, const Tensor& lse,
                               const Tensor& dq, const Tensor& dk, const Tensor& dv, Merge merge) {
  const std::vector<Tile> query_tiles = tiles_of(s.queries, kScoreRows);
  const int64_t group = s.num_heads / s.num_kv_heads;
  const auto make = [&](float* memory) { return PackedBackward(kernel, s, memory); };
  const auto task = [&](PackedBackward& pass, int64_t batch, int64_t kv_head) {
    const HeadIndex keys = {batch, kv_head, s.num_kv_heads};
    pass.pack_keys(operand_of(k, s, keys, false), operand_of(k, s, keys, true),
                   operand_of(v, s, keys, false));
    kernel.begin();
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const HeadIndex index = {batch, head, s.num_heads};
      const auto view = [&](const Tensor& x, bool by_dim) {
        return operand_of(x, s, index, by_dim);
      };
      for (const Tile& tile : query_tiles) {
        dispatch_float(q.dtype(), [&]<typename T>() {
          pass.row_terms(tile, head_of<T>(dout, s, index), head_of<T>(out, s, index),
                         lse_of<float>(lse, s, index));
        });
        pass.run_tile(view(q, false), view(q, true), view(dout, false), view(dout, true), tile,
                      document_begins(s, batch));
        pass.finish(tile, result_of(dq, s, index), merge);
      }
    }
    kernel.end();
    pass.unpack_keys(pass.dkeys, static_cast<float>(s.scale), merge, result_of(dk, s, keys));
    pass.unpack_keys(pass.dvalues, 1.0f, merge, result_of(dv, s, keys));
  };
  for_each_kv_head<float>(ctx, s, DType::fp32, make, task);
}

}  // namespace argosy::ops::detail
