// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <cmath>

#include "trainer/ops/attention_packed_tiles.h"

namespace argosy::ops::detail {
namespace {

struct PackedForward : PackedPass {
  PackedForward(const CpuKernel& k, const AttentionShape& shape, float* memory)
      : PackedPass(k, shape) {
    Arena<float> arena{memory};
    const int64_t tiles = num_key_tiles(), key_words = kernel.words(kScoreKeys);
    keys = take(arena, tiles * 2, kPanelColumns, keys_dim.words);
    values = take(arena, tiles * values_dim.panels, kPanelColumns, key_words);
    query = take(arena, row_panels, kernel.panel_rows, keys_dim.words);
    probabilities = take(arena, row_panels, kernel.panel_rows, key_words);
    scores = arena.take(kScoreRows * kScoreKeys);
    out = arena.take(values_dim.panels * kScoreRows * kPanelColumns);
    elements = arena.used;
  }

  void pack_keys(const MatrixView& k, const MatrixView& v) {
    for (int64_t t = 0; t < num_key_tiles(); ++t) {
      const Range rows = {key_tile(t).row, key_tile(t).row + key_tile(t).rows};
      kernel.pack_columns(k, rows, {0, s.head_dim}, keys.panel(2 * t));
      kernel.pack_columns(v, {0, s.value_dim}, rows, values.panel(t * values_dim.panels));
    }
  }

  // What is known of the tile's rows before these keys: nothing, or the result over other keys,
  // which is the running state with its log-sum-exp as the maximum and a sum of 1.
  template <typename O>
  void start(const Tile& tile, HeadView<O> result, HeadView<float> lse, Merge merge) {
    std::fill_n(maxima, kScoreRows, -std::numeric_limits<float>::infinity());
    std::fill_n(sums, kScoreRows, 0.0f);
    std::fill_n(out, values_dim.panels * kScoreRows * kPanelColumns, 0.0f);
    if (merge == Merge::overwrite) return;
    for (int64_t r = 0; r < tile.rows; ++r) {
      maxima[r] = lse.data[(tile.row + r) * lse.stride];
      sums[r] = 1;
      const O* row = result.data + (tile.row + r) * result.stride;
      for (int64_t d = 0; d < result.size; ++d) {
        out[(d / kPanelColumns * kScoreRows + r) * kPanelColumns + d % kPanelColumns] =
            static_cast<float>(row[d]);
      }
    }
  }

  void finish(const Tile& tile, const ResultView& result, HeadView<float> lse) const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      const float weight = sums[r] > 0 ? 1 / sums[r] : 0.0f;  // 0: no key was visible
      write_row(out + r * kPanelColumns, kScoreRows * kPanelColumns, weight, false, result,
                tile.row + r);
      lse.data[(tile.row + r) * lse.stride] = maxima[r] + std::log(sums[r]);
    }
  }

  // The tile's queries of one head.
  void run_tile(const MatrixView& q, const Tile& tile, const int32_t* begins) {
    pack_rows(q, {tile.row, tile.row + tile.rows}, {0, s.head_dim}, query);
    for (int64_t t = 0; t < num_key_tiles(); ++t) {
      const Tile& key = key_tile(t);
      if (!is_visible(s, begins, tile, key)) continue;
      multiply_scores(tile, key, keys_dim.words, query, keys.panel(2 * t), scores);
      kernel.softmax(score_tile(begins, tile, key, scores, first, last), maxima, sums, out,
                     values_dim.panels, probabilities.data);
      add_over_keys(tile, key, probabilities, values.panel(t * values_dim.panels),
                    values_dim.panels, out);
    }
  }

  PackedOperand keys, values, query, probabilities;
  float *scores, *out;
  float maxima[kScoreRows], sums[kScoreRows];
  int32_t first[kScoreRows], last[kScoreRows];
  int64_t elements;  // of the workspace
};

}  // namespace

void packed_attention_forward(DeviceContext& ctx, const CpuKernel& kernel, const AttentionShape& s,
                              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                              const Tensor& lse, Merge merge) {
  const std::vector<Tile> query_tiles = tiles_of(s.queries, kScoreRows);
  const int64_t group = s.num_heads / s.num_kv_heads;
  const auto make = [&](float* memory) { return PackedForward(kernel, s, memory); };
  const auto task = [&](PackedForward& pass, int64_t batch, int64_t kv_head) {
    const HeadIndex keys = {batch, kv_head, s.num_kv_heads};
    pass.pack_keys(operand_of(k, s, keys, false), operand_of(v, s, keys, true));
    kernel.begin();
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const HeadIndex index = {batch, head, s.num_heads};
      const HeadView<float> head_lse = lse_of<float>(lse, s, index);
      for (const Tile& tile : query_tiles) {
        dispatch_float(out.dtype(), [&]<typename O>() {
          pass.start(tile, head_of<O>(out, s, index), head_lse, merge);
        });
        pass.run_tile(operand_of(q, s, index, false), tile, document_begins(s, batch));
        pass.finish(tile, result_of(out, s, index), head_lse);
      }
    }
    kernel.end();
  };
  for_each_kv_head<float>(ctx, s, DType::fp32, make, task);
}

}  // namespace argosy::ops::detail
