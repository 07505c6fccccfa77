// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/emulation.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/cuda_runtime.h"
#include "tests/support/cuda_emulation/fibre.h"
#include "tests/support/cuda_emulation/poison.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace argosy::cuda_emulation {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMostThreads = 1024;          // of a block, on every device so far
constexpr size_t kMostSharedBytes = 227 * 1024;  // of a block on compute capability 9.0
constexpr size_t kSharedBytesUnasked = 48 * 1024;
constexpr unsigned kMostGridRows = 65535;  // in y and z

}  // namespace
}  // namespace argosy::cuda_emulation

// The array that kernels declare `extern __shared__`.
alignas(128) uint4
    argosy_dynamic_shared[argosy::cuda_emulation::kMostSharedBytes / sizeof(uint4) + 64];

namespace argosy::cuda_emulation {
namespace {

// Those who wait go on when the last of `expected` has come.
struct Barrier {
  unsigned expected = 0, arrived = 0;
  uint64_t generation = 0;
};

struct Warp {
  Barrier barrier;
  const char* collective = nullptr;  // what its first lane called
  // Two sets in turn: a lane cannot come to the set after the next before all have read the first.
  std::array<std::array<uint64_t, kWarp>, 2> values = {};
};

struct Thread {
  Fibre fibre;
  uint3 index = {};
  const Barrier* waits_at = nullptr;
  uint64_t generation = 0;  // of that barrier, when it began to wait
  unsigned collectives = 0;
};

struct Machine {
  std::mutex mutex;
  Order order = Order::ascending;
  std::mt19937 random;
  std::vector<Thread> threads;  // of the block; their stacks are kept
  std::vector<Warp> warps;
  Barrier block;
  std::span<const unsigned> turn;  // the threads that take turns
  size_t next = 0;                 // whose turn is looked at next
  unsigned current = 0;            // the thread that runs
  std::string error;               // the rule that a thread broke
  int64_t launches = 0;
  std::map<const void*, size_t> granted_shared;  // bytes, by kernel
};
Machine& machine() {
  static Machine one;
  return one;
}

// Ends the thread that runs; the scheduler throws. Its frames are left as they are: nobody may hold
// memory here, so the text is put together inside.
template <typename... Parts>
[[noreturn]] void fail(const Parts&... what) {
  Machine& m = machine();
  m.error = concat(what..., " (thread ", m.current, " of block ", blockIdx.x, ",", blockIdx.y, ")");
  m.threads[m.current].fibre.leave_for_ever();
}

bool can_run(const Thread& thread) {
  return !thread.fibre.ended() &&
         (thread.waits_at == nullptr || thread.waits_at->generation != thread.generation);
}

// The next one of the turn that can run is the one that runs; null: there is none.
Thread* take_turn(Machine& m) {
  while (m.next < m.turn.size()) {
    const unsigned i = m.turn[m.next++];
    Thread& thread = m.threads[i];
    if (!can_run(thread)) continue;
    m.current = i;
    threadIdx = thread.index;
    return &thread;
  }
  return nullptr;
}

void arrive_and_wait(Machine& m, Barrier& barrier) {
  if (++barrier.arrived == barrier.expected) {
    barrier.arrived = 0;
    ++barrier.generation;
    return;
  }
  Thread& thread = m.threads[m.current];
  thread.waits_at = &barrier;
  thread.generation = barrier.generation;
  Thread* next = take_turn(m);
  next != nullptr ? thread.fibre.leave_for(next->fibre) : thread.fibre.leave();
  thread.waits_at = nullptr;
}

std::vector<unsigned> order_of(unsigned count) {
  Machine& m = machine();
  std::vector<unsigned> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (m.order == Order::descending) std::reverse(order.begin(), order.end());
  if (m.order == Order::shuffled) std::shuffle(order.begin(), order.end(), m.random);
  return order;
}

uint3 index_of_thread(unsigned thread) {
  return {thread % blockDim.x, thread / blockDim.x % blockDim.y,
          thread / (blockDim.x * blockDim.y)};
}

void prepare_block(unsigned num_threads) {
  Machine& m = machine();
  if (m.threads.size() < num_threads) m.threads.resize(num_threads);
  m.block = {.expected = num_threads};
  m.warps.assign(num_threads / kWarp, Warp{});
  for (Warp& warp : m.warps) warp.barrier.expected = kWarp;
}

void start_threads(unsigned num_threads, const std::function<void()>& body) {
  Machine& m = machine();
  for (unsigned i = 0; i < num_threads; ++i) {
    Thread& thread = m.threads[i];
    thread.waits_at = nullptr;
    thread.collectives = 0;
    thread.index = index_of_thread(i);
    thread.fibre.start(body);
  }
}

[[noreturn]] void report_deadlock(unsigned num_threads) {
  Machine& m = machine();
  unsigned done = 0, at_block = 0, at_warp = 0;
  for (unsigned i = 0; i < num_threads; ++i) {
    const Thread& thread = m.threads[i];
    if (thread.fibre.ended()) ++done;
    if (!thread.fibre.ended()) (thread.waits_at == &m.block ? at_block : at_warp) += 1;
  }
  CHECK(false, "block ", blockIdx.x, ",", blockIdx.y, ": ", at_block,
        " threads wait in __syncthreads, ", at_warp, " in a warp's collective, ", done,
        " have left the kernel");
  std::abort();  // not reached
}

// Each of the threads once, where it can; whether one could. `left`: without those that ended.
// Threads that wait hand over to the next one; those that end, and the last one, come back.
bool run_threads(std::span<const unsigned> threads, unsigned& left) {
  Machine& m = machine();
  bool moved = false;
  m.turn = threads;
  m.next = 0;
  while (Thread* thread = take_turn(m)) {
    moved = true;
    thread->fibre.enter();
    CHECK(m.error.empty(), std::exchange(m.error, ""));
    if (m.threads[m.current].fibre.ended()) --left;
  }
  return moved;
}

void run_block(unsigned num_threads, const std::function<void()>& body) {
  Machine& m = machine();
  prepare_block(num_threads);
  start_threads(num_threads, body);
  unsigned left = num_threads;
  const std::vector<unsigned> order = order_of(num_threads);
  // Threads in turn, or a warp as far as it gets before the next: it may be a phase ahead.
  const size_t turn = m.order == Order::descending ? kWarp : order.size();
  while (left > 0) {
    bool moved = false;
    for (size_t begin = 0; begin < order.size(); begin += turn) {
      const std::span<const unsigned> part(order.data() + begin, turn);
      while (run_threads(part, left)) moved = true;
    }
    if (!moved) report_deadlock(num_threads);
  }
}

}  // namespace

void set_order(Order order, uint32_t seed) {
  machine().order = order;
  machine().random.seed(seed);
}

bool is_valid(const Launch& launch) {
  const auto& [grid, block, shared_bytes] = launch;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.y <= kMostGridRows &&
         grid.z <= kMostGridRows && threads > 0 && threads <= kMostThreads &&
         shared_bytes <= kMostSharedBytes;
}

void grant_shared(const void* kernel, size_t bytes) {
  const std::scoped_lock lock(machine().mutex);
  machine().granted_shared[kernel] = bytes;
}

size_t granted_shared(const void* kernel) {
  const std::scoped_lock lock(machine().mutex);
  const auto found = machine().granted_shared.find(kernel);
  return found == machine().granted_shared.end() ? kSharedBytesUnasked : found->second;
}

void run(const Launch& launch, const std::function<void()>& thread) {
  Machine& m = machine();
  const std::scoped_lock lock(m.mutex);
  CHECK(is_valid(launch));
  gridDim = {launch.grid.x, launch.grid.y, launch.grid.z};
  blockDim = {launch.block.x, launch.block.y, launch.block.z};
  const unsigned num_threads = blockDim.x * blockDim.y * blockDim.z;
  CHECK(num_threads % kWarp == 0, "a block of ", num_threads, " threads: warps are whole here");
  ++m.launches;
  for (const unsigned b : order_of(gridDim.x * gridDim.y * gridDim.z)) {
    blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / (gridDim.x * gridDim.y)};
    const PoisonedMemory shared(argosy_dynamic_shared, launch.shared_bytes,
                                sizeof(argosy_dynamic_shared));
    run_block(num_threads, thread);
    CHECK(shared.is_intact(), "a block wrote beyond its ", launch.shared_bytes,
          " bytes of shared memory");
  }
}

void block_barrier() {
  Machine& m = machine();
  arrive_and_wait(m, m.block);
}

unsigned lane() {
  return machine().current % kWarp;
}

const std::array<uint64_t, kWarp>& warp_gather(const char* name, uint64_t value) {
  Machine& m = machine();
  Warp& warp = m.warps[m.current / kWarp];
  if (warp.barrier.arrived == 0) warp.collective = name;
  if (warp.collective != name && std::strcmp(warp.collective, name) != 0)
    fail(name, " meets ", warp.collective, " in one warp");
  auto& values = warp.values[m.threads[m.current].collectives++ % 2];
  values[m.current % kWarp] = value;
  arrive_and_wait(m, warp.barrier);
  return values;
}

uint64_t warp_exchange(const char* name, uint64_t value, unsigned source) {
  return warp_gather(name, value)[source];
}

unsigned warp_ballot(bool predicate) {
  const auto& values = warp_gather("__ballot_sync", predicate ? 1 : 0);
  unsigned bits = 0;
  for (unsigned i = 0; i < kWarp; ++i) bits |= static_cast<unsigned>(values[i]) << i;
  return bits;
}

unsigned warp_match(uint64_t value) {
  const auto& values = warp_gather("__match_any_sync", value);
  unsigned bits = 0;
  for (unsigned i = 0; i < kWarp; ++i) bits |= (values[i] == value ? 1u : 0u) << i;
  return bits;
}

void trap() {
  fail("a kernel's requirement does not hold");
}

void check_full_mask(const char* name, unsigned mask) {
  if (mask != 0xffffffffu) fail(name, " with a part of the warp");
}

int64_t num_launches() {
  return machine().launches;
}

}  // namespace argosy::cuda_emulation
