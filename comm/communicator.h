// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Collectives over a group of ranks, the same over threads, MPI and a group of one. Every rank of a
// group makes the same calls in the same order. Reductions add in the order of the ranks (bf16 in
// fp32, rounded once): a result does not depend on timing, and every rank gets the same bits.
// Memory of a GPU is summed by a library that keeps the latter alone (sums_in_rank_order).
//
// Calls on memory of a GPU go by its compute stream: they begin after what is on it, and wait()
// makes what is put on it later run after the call, without waiting itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "comm/device_streams.h"
#include "planner/spec/types.h"

namespace argosy {

// A view of `count` elements; does not own them.
struct Buffer {
  void* data = nullptr;
  int64_t count = 0;
  DType dtype = DType::fp32;
  Device device = Device::cpu;
  int64_t bytes() const { return count * size_in_bytes(dtype); }
};
struct ConstBuffer {
  const void* data = nullptr;
  int64_t count = 0;
  DType dtype = DType::fp32;
  Device device = Device::cpu;
  ConstBuffer() = default;
  ConstBuffer(const void* data_, int64_t count_, DType dtype_, Device device_ = Device::cpu)
      : data(data_), count(count_), dtype(dtype_), device(device_) {}
  ConstBuffer(const Buffer& b)
      : data(b.data),
        count(b.count),
        dtype(b.dtype),
        device(b.device) {}  // NOLINT: a view of a view
  int64_t bytes() const { return count * size_in_bytes(dtype); }
};

// A call under way. Its buffers must live, unread and unwritten, until wait() returns. Destroying
// an unfinished request waits.
class [[nodiscard]] Request {
 public:
  class State {
   public:
    virtual ~State() = default;
    virtual void wait() = 0;  // throws Error; called at most once
    virtual bool test() = 0;  // true: wait() will not block
    // Of a call on a device's queue: when it ran there.
    virtual bool is_on_device() const { return false; }
    virtual DeviceSpan device_span() const { return {}; }
  };
  Request() = default;  // already complete
  explicit Request(std::unique_ptr<State> state)
      : state_(std::move(state)), on_device_(state_ && state_->is_on_device()) {}
  Request(Request&&) noexcept = default;
  Request& operator=(Request&& other) noexcept;
  ~Request();
  void wait();
  bool test() { return !state_ || state_->test(); }
  // Before wait() and after it: it is kept.
  bool is_on_device() const { return on_device_; }
  DeviceSpan device_span() const { return state_ ? state_->device_span() : span_; }

 private:
  std::unique_ptr<State> state_;
  bool on_device_ = false;
  DeviceSpan span_;  // once it is complete
};

// How the collectives of a group travel, for reports and warnings.
struct CommRoute {
  bool shares_memory = false;  // through a window of shared memory; else by messages or copies
  std::string obstacle;        // why not, where all ranks are on one node; else empty
  int64_t window_bytes = 0;    // of this rank, for all its groups together
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // start_* return at once; the result is there after Request::wait(). Counts are elements; a span
  // has one entry a rank.
  virtual Request start_all_reduce(Buffer inout, ReduceOp op) = 0;
  // input: all parts one after the other, part i of counts[i] elements; output: part rank(), summed
  // over the ranks.
  virtual Request start_reduce_scatter(ConstBuffer input, Buffer output,
                                       std::span<const int64_t> counts) = 0;
  // input: this rank's part; output: all parts. input may be the part's place in output.
  virtual Request start_all_gather(ConstBuffer input, Buffer output,
                                   std::span<const int64_t> counts) = 0;
  // Parts one after the other in rank order on both sides. A count may be 0; every rank calls all
  // the same.
  virtual Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts,
                                   Buffer output, std::span<const int64_t> recv_counts) = 0;
  virtual Request start_broadcast(Buffer inout, int root) = 0;
  virtual Request start_send(ConstBuffer input, int peer, int tag) = 0;
  virtual Request start_recv(Buffer output, int peer, int tag) = 0;
  virtual void barrier() = 0;

  // Collective. Ranks of one color form a new group, ordered by key, then by rank here.
  virtual std::unique_ptr<Communicator> split(int color, int key) = 0;
  // A group of this rank alone that reaches the same memory. Not collective.
  virtual std::unique_ptr<Communicator> alone();

  // False: sums in another order, which is the same every time; bf16 may be rounded after each
  // addition, and a maximum may pass over NaN.
  virtual bool sums_in_rank_order() const { return true; }

  virtual CommRoute route() const { return {}; }

  // Ends the whole job on all ranks with this exit code, at once, where the back end can; for
  // main's last resort.
  virtual void abort(int exit_code) = 0;

  // Blocking forms.
  void all_reduce(Buffer inout, ReduceOp op = ReduceOp::sum) { start_all_reduce(inout, op).wait(); }
  void reduce_scatter(ConstBuffer input, Buffer output, std::span<const int64_t> counts) {
    start_reduce_scatter(input, output, counts).wait();
  }
  void all_gather(ConstBuffer input, Buffer output, std::span<const int64_t> counts) {
    start_all_gather(input, output, counts).wait();
  }
  void all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                  std::span<const int64_t> recv_counts) {
    start_all_to_all(input, send_counts, output, recv_counts).wait();
  }
  void broadcast(Buffer inout, int root) { start_broadcast(inout, root).wait(); }
  void send(ConstBuffer input, int peer, int tag) { start_send(input, peer, tag).wait(); }
  void recv(Buffer output, int peer, int tag) { start_recv(output, peer, tag).wait(); }
};

}  // namespace argosy
