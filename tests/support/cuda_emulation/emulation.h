// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// CUDA's execution model on one CPU thread, for proving kernels where there is no GPU. The threads
// of a block are fibres: each runs until a barrier or a warp's collective, then the next one does.
// In which order is chosen by the test: a kernel that lacks a barrier gives other results in
// another order. Blocks run one after the other, in an order of their own. Dynamic shared memory is
// filled with NaN before each block; what lies beyond the bytes that were asked for is checked (and
// under ASan poisoned). A barrier or a collective that not all threads reach is an error.
//
// One kernel runs at a time. When work of a stream runs: streams.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace argosy::cuda_emulation {

// In what order threads, warps and blocks run. Descending, a warp runs as far as it gets before the
// next one does; else threads take turns.
enum class Order { ascending, descending, shuffled };
void set_order(Order order, uint32_t seed = 0);

struct Launch {
  struct Extent {
    unsigned x, y, z;
  };
  Extent grid, block;
  size_t shared_bytes = 0;
};
bool is_valid(const Launch& launch);  // false: a configuration that no device takes
// Shared memory of its blocks that a kernel may have: 48 KiB, or what was asked for.
void grant_shared(const void* kernel, size_t bytes);
size_t granted_shared(const void* kernel);
// Runs `thread` once for each thread of the grid. Throws std::logic_error where the kernel breaks a
// rule of the model.
void run(const Launch& launch, const std::function<void()>& thread);

// What a running thread calls.
void block_barrier();
unsigned lane();
// What each lane gave; as it is until the collective after the next.
const std::array<uint64_t, 32>& warp_gather(const char* name, uint64_t value);
// What lane `source` gave.
uint64_t warp_exchange(const char* name, uint64_t value, unsigned source);
unsigned warp_ballot(bool predicate);
unsigned warp_match(uint64_t value);  // the lanes that gave the same
[[noreturn]] void trap();
void check_full_mask(const char* name, unsigned mask);  // all lanes, nothing else, is emulated

// Launches so far, for tests that want to know that something ran.
int64_t num_launches();

}  // namespace argosy::cuda_emulation
