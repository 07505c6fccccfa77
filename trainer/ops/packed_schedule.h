// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How packed products are cut for threads and caches; see packed_product.h. Cuts along k follow
// from a product's shape alone, so that its bits do; the others may follow the number of threads.
#pragma once

#include <vector>

#include "planner/spec/integers.h"
#include "trainer/ops/packed_product.h"

namespace argosy::ops::detail {

// Rows of one product for one range of k; both in elements.
struct Job {
  const PackedProduct* product;
  float* partial;  // (m,n): sums over several ranges of k where c is bf16, or null
  Range rows, k;
  bool first, last;       // range of k
  int64_t panels_offset;  // bytes into the packed panels
};

// Jobs that are packed and multiplied together.
using Phase = std::vector<Job>;

// What one thread does at a time.
struct Task {
  const Job* job;
  Range panels, columns;  // panels of the job's rows; columns of the product
};

inline int64_t job_words(const CpuKernel& kernel, const Job& job) {
  return kernel.words(job.k.size());
}
inline int64_t job_panels(const CpuKernel& kernel, const Job& job) {
  return ceil_div(job.rows.size(), kernel.panel_rows);
}

// Elements of k that are summed without a break: as even as whole chunks allow.
int64_t k_step(const CpuKernel& kernel, int64_t k);

// All of the products, in order of k; partials[i]: as Job::partial, of product i. Products without
// k have no job.
std::vector<Phase> phases_of(const CpuKernel& kernel, const std::vector<PackedProduct>& products,
                             const std::vector<float*>& partials);
std::vector<Task> tasks_of(const CpuKernel& kernel, const Phase& phase, int64_t num_threads);

// Bytes of a phase's panels of A, and of the largest block of B that a task of it packs.
int64_t panels_bytes(const CpuKernel& kernel, const Phase& phase);
int64_t block_bytes(const CpuKernel& kernel, const Phase& phase);

}  // namespace argosy::ops::detail
