// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Work comes in phases: the panels of A of some products, for one range of k, are packed by all
// threads; then threads take tasks, each some columns by some rows. Ranges of k follow each other, and
// partial sums wait in fp32: in c itself, or in a workspace where c is bf16.
#include "trainer/ops/packed_product.h"

#include <omp.h>

#include <algorithm>

#include "planner/spec/bfloat16.h"
#include "trainer/ops/simd_math.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kMostWords = 1024;                  // of a range of k
constexpr int64_t kBlockBytes = 384 * 1024;           // of B: leaves an L2 of 1 MiB room for A and c
constexpr int64_t kPhaseBytes = int64_t{16} << 20;    // of packed A; much below the L3 of a server
constexpr int64_t kFewestTaskRows = 96;               // fewer would pack B for too little work
constexpr int64_t kTasksPerThread = 4;                // so that a thread that is held up costs little
constexpr int64_t kSerialFlops = int64_t{1} << 20;    // below, waking a team costs more than it gains

int64_t ceil_div(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

// Rows of one product for one range of k; both in elements.
struct Job {
  const PackedProduct* product;
  float* partial;  // (m,n): sums over several ranges of k where c is bf16, or null
  Range rows, k;
  bool first, last;       // range of k
  int64_t panels_offset;  // bytes into the packed panels
};

struct Task {
  const Job* job;
  Range panels, columns;  // panels of the job's rows; columns of the product
};

struct Pass {
  const CpuKernel& kernel;
  float alpha;
  bool accumulate;
};

int64_t job_words(const CpuKernel& kernel, const Job& job) {
  return kernel.words(job.k.size());
}
int64_t job_panels(const CpuKernel& kernel, const Job& job) {
  return ceil_div(job.rows.size(), kernel.panel_rows);
}

// Elements of a range of k: as even as whole chunks allow.
int64_t k_step(const CpuKernel& kernel, int64_t k) {
  const int64_t chunks = ceil_div(kernel.words(k), kChunkWords);
  const int64_t ranges = ceil_div(chunks, kMostWords / kChunkWords);
  return ceil_div(chunks, std::max<int64_t>(ranges, 1)) * kChunkWords * kernel.elements_of_word();
}

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
      rounds[static_cast<size_t>(round)].push_back(
          {&p, partial, {row, std::min(row + most_rows, p.m)}, k_range, k == 0, k + step >= p.k, 0});
    }
  }
}

// Jobs that are packed and multiplied together.
using Phase = std::vector<Job>;

std::vector<Phase> phases_of(const CpuKernel& kernel, const std::vector<std::vector<Job>>& rounds) {
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

int64_t phase_bytes(const CpuKernel& kernel, const Phase& phase) {
  const Job& job = phase.back();
  return job.panels_offset +
         job_panels(kernel, job) * panel_bytes(kernel.panel_rows, job_words(kernel, job));
}

// Panels of columns in the largest block of B.
int64_t most_block_panels(int64_t words) {
  return std::max<int64_t>(kBlockBytes / panel_bytes(kPanelColumns, words), 1);
}

std::vector<Task> tasks_of(const CpuKernel& kernel, const Phase& phase, int64_t num_threads) {
  const int64_t wanted =
      ceil_div(kTasksPerThread * num_threads, static_cast<int64_t>(phase.size()));
  std::vector<Task> tasks;
  for (const Job& job : phase) {
    const int64_t column_panels = ceil_div(job.product->n, kPanelColumns);
    const int64_t fewest = ceil_div(column_panels, most_block_panels(job_words(kernel, job)));
    // Columns are cut first: it packs nothing twice. At least three panels to a block, as each block
    // reads all of A again.
    const int64_t column_blocks =
        std::max(fewest, std::min(wanted, ceil_div(column_panels, int64_t{3})));
    const int64_t row_blocks = std::clamp<int64_t>(ceil_div(wanted, column_blocks), 1,
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

// One tile of c, at its full width or less.
struct Place {
  int64_t row, rows, column, columns;
};

std::byte* c_at(const PackedProduct& p, int64_t row, int64_t column) {
  return static_cast<std::byte*>(p.c) + (row * p.n + column) * size_in_bytes(p.c_dtype);
}

// A tile of sums to c. In an fp32 c the ranges of k before this one are there already, scaled.
void finish_tile(const Pass& pass, const Job& job, const Place& at, const float* tile) {
  const PackedProduct& p = *job.product;
  const bool adds_bias = p.bias != nullptr && job.last;
  const bool continues = !job.first && job.partial == nullptr;
  const Epilogue epilogue = {pass.alpha, adds_bias ? p.bias + at.column : nullptr,
                             pass.accumulate || continues, p.c_dtype};
  for (int64_t r = 0; r < at.rows; ++r) {
    pass.kernel.write_row(tile + r * kPanelColumns, at.columns, epilogue,
                          c_at(p, at.row + r, at.column));
  }
}

// A tile's partial sums in the workspace (m,n): read before a later range of k, written before the
// last one.
void move_partial(const Job& job, const Place& at, float* tile, bool read) {
  for (int64_t r = 0; r < at.rows; ++r) {
    float* kept = job.partial + (at.row + r) * job.product->n + at.column;
    float* row = tile + r * kPanelColumns;
    if (read) {
      std::copy_n(kept, at.columns, row);
    } else {
      std::copy_n(row, at.columns, kept);
    }
  }
}

void run_tile(const Pass& pass, const Job& job, const Place& at, const void* a, const void* b) {
  const PackedProduct& p = *job.product;
  const int64_t words = job_words(pass.kernel, job);
  const bool whole = at.columns == kPanelColumns;
  if (job.partial == nullptr && p.c_dtype == DType::fp32 && whole && pass.alpha == 1.0f &&
      p.bias == nullptr) {
    float* c = static_cast<float*>(p.c) + at.row * p.n + at.column;
    pass.kernel.multiply(at.rows, words, a, b, c, p.n, pass.accumulate || !job.first);
    return;
  }
  alignas(64) float tile[kMostPanelRows * kPanelColumns];
  const bool continues = job.partial != nullptr && !job.first;
  if (continues) {
    if (!whole) std::fill_n(tile, at.rows * kPanelColumns, 0.0f);
    move_partial(job, at, tile, true);
  }
  pass.kernel.multiply(at.rows, words, a, b, tile, kPanelColumns, continues);
  if (job.partial != nullptr && !job.last) return move_partial(job, at, tile, false);
  finish_tile(pass, job, at, tile);
}

void run_task(const Pass& pass, const Task& task, const std::byte* panels, std::byte* block) {
  const Job& job = *task.job;
  const PackedProduct& p = *job.product;
  const int64_t words = job_words(pass.kernel, job), rows = pass.kernel.panel_rows;
  const int64_t a_bytes = panel_bytes(rows, words), b_bytes = panel_bytes(kPanelColumns, words);
  pass.kernel.pack_columns(p.b, task.columns, job.k, block);
  for (int64_t i = task.panels.begin; i < task.panels.end; ++i) {
    const int64_t row = job.rows.begin + i * rows;
    const std::byte* a = panels + job.panels_offset + i * a_bytes;
    const std::byte* b = block;
    for (int64_t j = task.columns.begin; j < task.columns.end; j += kPanelColumns, b += b_bytes) {
      const Place at = {row, std::min(rows, job.rows.end - row), j,
                        std::min(kPanelColumns, task.columns.end - j)};
      run_tile(pass, job, at, a, b);
    }
  }
}

struct Panel {
  const Job* job;
  int64_t index;
};

void pack_panel(const CpuKernel& kernel, const Panel& panel, std::byte* panels) {
  const Job& job = *panel.job;
  const int64_t row = job.rows.begin + panel.index * kernel.panel_rows;
  const int64_t bytes = panel_bytes(kernel.panel_rows, job_words(kernel, job));
  kernel.pack_rows(job.product->a, {row, std::min(row + kernel.panel_rows, job.rows.end)}, job.k,
                   panels + job.panels_offset + panel.index * bytes);
}

void run_phase(const Pass& pass, const Phase& phase, int num_threads, std::byte* panels,
               std::byte* blocks, int64_t block_bytes) {
  std::vector<Panel> to_pack;
  for (const Job& job : phase) {
    for (int64_t i = 0; i < job_panels(pass.kernel, job); ++i) to_pack.push_back({&job, i});
  }
  const std::vector<Task> tasks = tasks_of(pass.kernel, phase, num_threads);
  const auto num_panels = static_cast<int64_t>(to_pack.size());
  const auto num_tasks = static_cast<int64_t>(tasks.size());
#pragma omp parallel num_threads(num_threads)
  {
    std::byte* block = blocks + omp_get_thread_num() * block_bytes;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < num_panels; ++i)
      pack_panel(pass.kernel, to_pack[static_cast<size_t>(i)], panels);
    pass.kernel.begin();
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < num_tasks; ++i)
      run_task(pass, tasks[static_cast<size_t>(i)], panels, block);
    pass.kernel.end();
  }
}

// Sums over no k: bias and what was there.
void write_empty(const CpuKernel& kernel, const PackedProduct& p, bool accumulate) {
  const std::vector<float> zeros(static_cast<size_t>(p.n), 0.0f);
  for (int64_t i = 0; i < p.m; ++i) {
    kernel.write_row(zeros.data(), p.n, {1.0f, p.bias, accumulate, p.c_dtype}, c_at(p, i, 0));
  }
}

}  // namespace

void packed_products(DeviceContext& ctx, const CpuKernel& kernel,
                     const std::vector<PackedProduct>& products, float alpha, bool accumulate) {
  std::vector<std::vector<Job>> rounds;
  std::vector<Tensor> partials;
  int64_t flops = 0;
  for (const PackedProduct& p : products) {
    if (p.k == 0) {
      write_empty(kernel, p, accumulate);
      continue;
    }
    float* partial = nullptr;
    if (p.c_dtype == DType::bf16 && k_step(kernel, p.k) < p.k) {
      partials.push_back(ctx.empty({p.m, p.n}, DType::fp32, MemoryCategory::workspace));
      partial = partials.back().data<float>();
    }
    add_jobs(kernel, p, partial, rounds);
    flops += 2 * p.m * p.n * p.k;
  }
  const std::vector<Phase> phases = phases_of(kernel, rounds);
  int64_t panels_bytes = 0, block_bytes = 0;
  for (const Phase& phase : phases) {
    panels_bytes = std::max(panels_bytes, phase_bytes(kernel, phase));
    for (const Job& job : phase) {
      const int64_t words = job_words(kernel, job);
      const int64_t block_panels = std::min(ceil_div(job.product->n, kPanelColumns), most_block_panels(words));
      block_bytes = std::max(block_bytes, block_panels * panel_bytes(kPanelColumns, words));
    }
  }
  const int num_threads = flops < kSerialFlops ? 1 : omp_get_max_threads();
  const Tensor panels = ctx.empty({panels_bytes / kWordBytes}, DType::fp32, MemoryCategory::workspace);
  const Tensor blocks = ctx.empty({num_threads, block_bytes / kWordBytes}, DType::fp32, MemoryCategory::workspace);
  const Pass pass = {kernel, alpha, accumulate};
  for (const Phase& phase : phases) {
    run_phase(pass, phase, num_threads, static_cast<std::byte*>(panels.raw()),
              static_cast<std::byte*>(blocks.raw()), block_bytes);
  }
}

}  // namespace argosy::ops::detail
