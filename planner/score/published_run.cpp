// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/published_run.h"

#include <cmath>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

// Cells of one row by column, as numbers.
class RowReader {
 public:
  RowReader(const CsvTable& table, size_t row) : table_(table), row_(row) {}

  const std::string& text(const std::string& column) const { return cell(table_, row_, column); }

  std::optional<double> number(const std::string& column) const {
    const std::string& text = cell(table_, row_, column);
    if (text.empty()) return std::nullopt;
    const std::optional<double> value = number_in<double>(text);
    if (!value || !std::isfinite(*value)) fail(column, "expected a number or nothing");
    if (*value < 0) fail(column, "must not be negative");
    return value;
  }

  std::optional<int64_t> integer(const std::string& column) const {
    const std::optional<double> value = number(column);
    if (!value) return std::nullopt;
    if (*value != std::floor(*value) || *value > 1e15) fail(column, "expected a whole number");
    return static_cast<int64_t>(*value);
  }

  std::optional<int64_t> positive(const std::string& column) const {
    const std::optional<int64_t> value = integer(column);
    if (value && *value < 1) fail(column, "expected a whole number of at least 1");
    return value;
  }

  std::optional<bool> flag(const std::string& column) const {
    const std::optional<int64_t> value = integer(column);
    if (value && *value > 1) fail(column, "expected 0, 1 or nothing");
    return value ? std::optional<bool>(*value == 1) : std::nullopt;
  }

 private:
  [[noreturn]] void fail(const std::string& column, const char* expected) const {
    throw ConfigError(concat(table_.where, ": line ", table_.lines[row_], ": ", column, ": '",
                             text(column), "': ", expected));
  }

  const CsvTable& table_;
  size_t row_;
};

void read_model(const RowReader& row, PublishedRun& run) {
  run.layers = row.positive("layers");
  run.hidden = row.positive("hidden");
  run.ffn_hidden = row.positive("ffn_hidden");
  run.heads = row.positive("heads");
  run.kv_heads = row.positive("kv_heads");
  run.vocab = row.positive("vocab");
  run.seq_len = row.positive("seq_len");
  run.experts = row.integer("experts");
  run.top_k = row.integer("top_k");
  run.expert_ffn_hidden = row.integer("expert_ffn_hidden");
  run.shared_experts = row.integer("shared_experts");
  run.swiglu = row.flag("swiglu").value_or(true);
}

void read_plan(const RowReader& row, PublishedRun& run) {
  run.tp = row.positive("tp");
  run.pp = row.positive("pp");
  run.vpp = row.positive("vpp");
  run.dp = row.positive("dp");
  run.cp = row.positive("cp");
  run.ep = row.positive("ep");
  run.etp = row.positive("etp");
  run.zero_stage = row.integer("zero_stage");
  run.seq_parallel = row.flag("seq_parallel");
  run.recompute = row.text("recompute");
  run.micro_batch = row.positive("micro_batch");
  run.global_batch_seqs = row.positive("global_batch_seqs");
  run.precision = row.text("precision");
  run.task = row.text("task");
}

void read_machine(const RowReader& row, PublishedRun& run) {
  run.gpu = row.text("gpu");
  run.gpu_mem_gb = row.number("gpu_mem_gb");
  run.num_gpus = row.positive("num_gpus");
  run.gpus_per_node = row.positive("gpus_per_node");
  run.intra_bw_gbs = row.number("intra_bw_gbs");
  run.inter_bw_gbs_per_gpu = row.number("inter_bw_gbs_per_gpu");
}

void read_measurements(const RowReader& row, PublishedRun& run) {
  run.meas_tflops_per_gpu = row.number("meas_tflops_per_gpu");
  run.meas_mfu = row.number("meas_mfu");
  run.meas_hfu = row.number("meas_hfu");
  run.meas_iter_s = row.number("meas_iter_s");
  run.meas_tokens_per_s_per_gpu = row.number("meas_tokens_per_s_per_gpu");
  run.meas_peak_mem_gb = row.number("meas_peak_mem_gb");
  run.meas_days = row.number("meas_days");
}

}  // namespace

std::vector<PublishedRun> published_runs(const CsvTable& table) {
  for (const char* column : {"id", "gpu", "num_gpus"}) {
    if (table.column_index.count(column) == 0) {
      throw ConfigError(concat(table.where, ": no column '", column,
                               "'; valid: id, gpu, num_gpus and those of planner/score/README.md"));
    }
  }
  std::vector<PublishedRun> runs;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const RowReader row(table, i);
    PublishedRun run;
    run.id = row.text("id");
    run.source = row.text("source");
    run.model_name = row.text("model_name");
    run.arch = row.text("arch");
    run.notes = row.text("notes");
    read_model(row, run);
    read_plan(row, run);
    read_machine(row, run);
    read_measurements(row, run);
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace argosy
