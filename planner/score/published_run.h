// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One row of a table of published runs, its cells as numbers. Columns are those of
// tests/golden/published_runs.csv; README.md lists them. Blank cells are absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/score/csv.h"

namespace argosy {

struct PublishedRun {
  std::string id, source, model_name, arch, gpu, recompute, precision, task, notes;
  std::optional<int64_t> layers, hidden, ffn_hidden, heads, kv_heads, vocab, seq_len;
  std::optional<int64_t> experts, top_k, expert_ffn_hidden, shared_experts;
  bool swiglu = true;
  std::optional<double> gpu_mem_gb, intra_bw_gbs, inter_bw_gbs_per_gpu;
  std::optional<int64_t> num_gpus, gpus_per_node, tp, pp, vpp, dp, cp, ep, etp, zero_stage;
  std::optional<bool> seq_parallel;
  std::optional<int64_t> micro_batch, global_batch_seqs;
  std::optional<double> meas_tflops_per_gpu, meas_mfu, meas_hfu, meas_iter_s,
      meas_tokens_per_s_per_gpu, meas_peak_mem_gb, meas_days;

  // The part of the id before its number, "SC21T1" of SC21T1-003: rows of one table.
  std::string group() const { return id.substr(0, id.rfind('-')); }
  bool notes_have(const std::string& text) const { return notes.find(text) != std::string::npos; }
};

// Throws ConfigError naming file, line, column and value where a cell is no number, and naming a
// column without which no row can be read.
std::vector<PublishedRun> published_runs(const CsvTable& table);

}  // namespace argosy
