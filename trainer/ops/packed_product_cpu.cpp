// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Work comes in phases: the panels of A of some products, for one range of k, are packed by all
// threads; then threads take tasks, each some columns by some rows. Ranges of k follow each other,
// and partial sums wait in fp32: in c itself, or in a workspace where c is bf16.
#include "trainer/ops/packed_product.h"

#include <omp.h>

#include <algorithm>
#include <list>

#include "trainer/ops/packed_schedule.h"
#include "trainer/ops/tile_squares.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kSerialFlops = int64_t{1} << 20;  // below, waking a team costs more than it gains

struct Pass {
  const CpuKernel& kernel;
  float alpha;
  bool accumulate;
};

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
  pass.kernel.write_tile(tile, at.rows, at.columns, epilogue, c_at(p, at.row, at.column), p.n);
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

// Asks for the memory that a later task packs, some cache lines at a time while products run:
// weights come from main memory, whose latency would otherwise be waited for.
class Ahead {
 public:
  Ahead() = default;
  explicit Ahead(const Task& task) {
    const MatrixView& b = task.job->product->b;
    const Range rows = b.k_is_strided ? task.job->k : task.columns;
    const Range along = b.k_is_strided ? task.columns : task.job->k;
    const int64_t bytes = size_in_bytes(b.dtype);
    row_ = static_cast<const char*>(b.data) + (rows.begin * b.stride + along.begin) * bytes;
    stride_bytes_ = b.stride * bytes;
    row_bytes_ = along.size() * bytes;
    rows_left_ = rows.size();
  }
  int64_t lines_left() const { return rows_left_ * ceil_div(row_bytes_, kLineBytes); }
  void fetch(int64_t lines) {
    for (; lines > 0 && rows_left_ > 0; --lines) {
      __builtin_prefetch(row_ + offset_, 0, 2);  // into L2
      offset_ += kLineBytes;
      if (offset_ < row_bytes_) continue;
      offset_ = 0;
      row_ += stride_bytes_;
      --rows_left_;
    }
  }

 private:
  static constexpr int64_t kLineBytes = 64;
  const char* row_ = nullptr;
  int64_t stride_bytes_ = 0, row_bytes_ = 0, rows_left_ = 0, offset_ = 0;
};

void run_task(const Pass& pass, const Task& task, const std::byte* panels, std::byte* block,
              Ahead ahead) {
  const Job& job = *task.job;
  const PackedProduct& p = *job.product;
  const int64_t words = job_words(pass.kernel, job), rows = pass.kernel.panel_rows;
  const int64_t a_bytes = panel_bytes(rows, words), b_bytes = panel_bytes(kPanelColumns, words);
  pass.kernel.pack_columns(p.b, task.columns, job.k, block);
  const int64_t num_tiles = task.panels.size() * ceil_div(task.columns.size(), kPanelColumns);
  const int64_t lines = ceil_div(ahead.lines_left(), std::max<int64_t>(num_tiles, 1));
  for (int64_t i = task.panels.begin; i < task.panels.end; ++i) {
    const int64_t row = job.rows.begin + i * rows;
    const std::byte* a = panels + job.panels_offset + i * a_bytes;
    const std::byte* b = block;
    for (int64_t j = task.columns.begin; j < task.columns.end; j += kPanelColumns, b += b_bytes) {
      const Place at = {row, std::min(rows, job.rows.end - row), j,
                        std::min(kPanelColumns, task.columns.end - j)};
      ahead.fetch(lines);
      run_tile(pass, job, at, a, b);
    }
    if (job.last && p.then) p.then({row, std::min(row + rows, job.rows.end)}, task.columns);
  }
}

// Panels of rows that a thread packs at a time: where k is strided their rows of 12 bf16 lie side
// by side in cache lines, three of which hold eight panels.
constexpr int64_t kPanelsAtOnce = 8;

struct Panels {
  const Job* job;
  int64_t first;
};

void pack_panels(const CpuKernel& kernel, const Panels& some, std::byte* panels) {
  const Job& job = *some.job;
  const int64_t row = job.rows.begin + some.first * kernel.panel_rows;
  const int64_t end = std::min(row + kPanelsAtOnce * kernel.panel_rows, job.rows.end);
  const int64_t bytes = panel_bytes(kernel.panel_rows, job_words(kernel, job));
  kernel.pack_rows(job.product->a, {row, end}, job.k,
                   panels + job.panels_offset + some.first * bytes);
}

void run_phase(const Pass& pass, const Phase& phase, int num_threads, std::byte* panels,
               std::byte* blocks, int64_t block_bytes) {
  std::vector<Panels> to_pack;
  for (const Job& job : phase) {
    for (int64_t i = 0; i < job_panels(pass.kernel, job); i += kPanelsAtOnce)
      to_pack.push_back({&job, i});
  }
  const std::vector<Task> tasks = tasks_of(pass.kernel, phase, num_threads);
  const auto num_packings = static_cast<int64_t>(to_pack.size());
  const auto num_tasks = static_cast<int64_t>(tasks.size());
#pragma omp parallel num_threads(num_threads)
  {
    std::byte* block = blocks + omp_get_thread_num() * block_bytes;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < num_packings; ++i)
      pack_panels(pass.kernel, to_pack[static_cast<size_t>(i)], panels);
    pass.kernel.begin();
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < num_tasks; ++i) {
      // Likely this thread's next.
      const int64_t next = i + num_threads;
      const Ahead ahead = next < num_tasks ? Ahead(tasks[static_cast<size_t>(next)]) : Ahead();
      run_task(pass, tasks[static_cast<size_t>(i)], panels, block, ahead);
    }
    pass.kernel.end();
  }
}

// Sums over no k: bias and what was there.
void write_empty(const CpuKernel& kernel, const PackedProduct& p, bool accumulate) {
  const std::vector<float> zeros(static_cast<size_t>(p.n), 0.0f);
  for (int64_t i = 0; i < p.m; ++i) {
    kernel.write_tile(zeros.data(), 1, p.n, {1.0f, p.bias, accumulate, p.c_dtype}, c_at(p, i, 0),
                      p.n);
  }
}

}  // namespace

void packed_products(DeviceContext& ctx, const CpuKernel& kernel,
                     const std::vector<PackedProduct>& products, float alpha, bool accumulate) {
  std::vector<Tensor> memory;
  std::vector<float*> partials;
  int64_t flops = 0;
  for (const PackedProduct& p : products) {
    partials.push_back(nullptr);
    if (p.k == 0) write_empty(kernel, p, accumulate);
    if (p.k == 0 && p.then) p.then({0, p.m}, {0, p.n});
    if (p.c_dtype == DType::bf16 && k_step(kernel, p.k) < p.k) {
      memory.push_back(ctx.empty({p.m, p.n}, DType::fp32, MemoryCategory::workspace));
      partials.back() = memory.back().data<float>();
    }
    flops += 2 * p.m * p.n * p.k;
  }
  const std::vector<Phase> phases = phases_of(kernel, products, partials);
  int64_t most_panels = 0, most_block = 0;  // bytes
  for (const Phase& phase : phases) {
    most_panels = std::max(most_panels, panels_bytes(kernel, phase));
    most_block = std::max(most_block, block_bytes(kernel, phase));
  }
  const int num_threads = flops < kSerialFlops ? 1 : omp_get_max_threads();
  const auto workspace = [&](int64_t bytes) {
    return ctx.empty({bytes / kWordBytes}, DType::fp32, MemoryCategory::workspace);
  };
  const Tensor panels = workspace(most_panels), blocks = workspace(num_threads * most_block);
  const Pass pass = {kernel, alpha, accumulate};
  for (const Phase& phase : phases) {
    run_phase(pass, phase, num_threads, static_cast<std::byte*>(panels.raw()),
              static_cast<std::byte*>(blocks.raw()), most_block);
  }
}

void packed_products_with_squares(DeviceContext& ctx, const CpuKernel& kernel,
                                  std::vector<PackedProduct> products,
                                  const MatmulOptions& options) {
  std::list<TileSquares> squares;  // stay where they are
  for (PackedProduct& product : products) {
    TileSquares& of_this = squares.emplace_back(kernel, product, *vector_rows());
    product.then = [&of_this](Range rows, Range columns) { of_this.take(rows, columns); };
  }
  packed_products(ctx, kernel, products, static_cast<float>(options.alpha), options.accumulate);
  for (const TileSquares& of_this : squares) *options.squares.data<double>() += of_this.total();
}

}  // namespace argosy::ops::detail
