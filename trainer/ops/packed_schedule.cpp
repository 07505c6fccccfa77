// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/packed_schedule.h"

#include <algorithm>

#include "planner/spec/cpu_scratch.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kMostWords = kMostSummedWords;      // of a range of k
constexpr int64_t kBlockBytes = kPackedColumnsBytes;  // of B: leaves an L2 of 1 MiB room for A, c
// Of packed A. Measured on a Zen 5 with 1 MiB of L2 a core: with 2 MiB weight gradients of 4,096
// rows run 1.3 times as fast as with 16 MiB, which the L3 does not keep; with 1 MiB B is packed too
// often.
constexpr int64_t kPhaseBytes = kPackedRowsBytes;
constexpr int64_t kFewestTaskRows = 96;  // fewer would pack B for too little work
constexpr int64_t kTasksPerThread = 4;   // so that a thread that is held up costs little

// The jobs of one product, range of k after range of k.
void add_jobs(const CpuKernel& kernel, const PackedProduct& p, float* partial,
              std::vector<std::vector<Job>>& rounds) {
  const int64_t step = std::max<int64_t>(k_step(kernel, p.k), 1);
  const int64_t most_panels =
      std::max<int64_t>(kPhaseBytes / panel_bytes(kernel.panel_rows, kernel.words(step)), 1);
  const int64_t most_rows = most_panels * kernel.panel_rows;
  for (int64_t k = 0, round = 0; k < p.k; k += step, ++round) {
    if (static_cast<size_t>(round) == rounds.size()) rounds.emplace_back();
    for (int64_t row = 0; row < p.m; row += most_rows) {
      const Range k_range = {k, std::min(k + step, p.k)};
      rounds[static_cast<size_t>(round)].push_back({&p,
                                                    partial,
                                                    {row, std::min(row + most_rows, p.m)},
                                                    k_range,
                                                    k == 0,
                                                    k + step >= p.k,
                                                    0});
    }
  }
}

// Panels of columns in the largest block of B.
int64_t most_block_panels(int64_t words) {
  return std::max<int64_t>(kBlockBytes / panel_bytes(kPanelColumns, words), 1);
}

}  // namespace

int64_t k_step(const CpuKernel& kernel, int64_t k) {
  const int64_t chunks = ceil_div(kernel.words(k), kChunkWords);
  const int64_t ranges = ceil_div(chunks, kMostWords / kChunkWords);
  return ceil_div(chunks, std::max<int64_t>(ranges, 1)) * kChunkWords * kernel.elements_of_word();
}

std::vector<Phase> phases_of(const CpuKernel& kernel, const std::vector<PackedProduct>& products,
                             const std::vector<float*>& partials) {
  std::vector<std::vector<Job>> rounds;
  for (size_t i = 0; i < products.size(); ++i) add_jobs(kernel, products[i], partials[i], rounds);
  std::vector<Phase> phases;
  for (const std::vector<Job>& round : rounds) {
    int64_t bytes = kPhaseBytes + 1;  // opens a phase
    for (Job job : round) {
      const int64_t job_bytes =
          job_panels(kernel, job) * panel_bytes(kernel.panel_rows, job_words(kernel, job));
      if (bytes + job_bytes > kPhaseBytes) {
        phases.emplace_back();
        bytes = 0;
      }
      job.panels_offset = bytes;
      bytes += job_bytes;
      phases.back().push_back(job);
    }
  }
  return phases;
}

int64_t panels_bytes(const CpuKernel& kernel, const Phase& phase) {
  const Job& job = phase.back();
  return job.panels_offset +
         job_panels(kernel, job) * panel_bytes(kernel.panel_rows, job_words(kernel, job));
}

int64_t block_bytes(const CpuKernel& kernel, const Phase& phase) {
  int64_t most = 0;
  for (const Job& job : phase) {
    const int64_t words = job_words(kernel, job);
    const int64_t panels =
        std::min(ceil_div(job.product->n, kPanelColumns), most_block_panels(words));
    most = std::max(most, panels * panel_bytes(kPanelColumns, words));
  }
  return most;
}

std::vector<Task> tasks_of(const CpuKernel& kernel, const Phase& phase, int64_t num_threads) {
  const int64_t wanted =
      ceil_div(kTasksPerThread * num_threads, static_cast<int64_t>(phase.size()));
  std::vector<Task> tasks;
  for (const Job& job : phase) {
    const int64_t column_panels = ceil_div(job.product->n, kPanelColumns);
    const int64_t fewest = ceil_div(column_panels, most_block_panels(job_words(kernel, job)));
    // Columns are cut first: it packs nothing twice. At least three panels to a block, as each
    // block reads all of A again.
    const int64_t column_blocks =
        std::max(fewest, std::min(wanted, ceil_div(column_panels, int64_t{3})));
    const int64_t row_blocks =
        std::clamp<int64_t>(ceil_div(wanted, column_blocks), 1,
                            std::max<int64_t>(job.rows.size() / kFewestTaskRows, 1));
    for (int64_t j = 0; j < column_blocks; ++j) {
      const Range part = split_range(column_panels, column_blocks, j);
      const Range columns = {part.begin * kPanelColumns,
                             std::min(part.end * kPanelColumns, job.product->n)};
      for (int64_t i = 0; i < row_blocks; ++i) {
        tasks.push_back({&job, split_range(job_panels(kernel, job), row_blocks, i), columns});
      }
    }
  }
  return tasks;
}

}  // namespace argosy::ops::detail
