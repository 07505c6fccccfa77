// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/links.h"

#include <algorithm>
#include <array>
#include <memory>

namespace argosy {

namespace {

constexpr std::array kKinds = {CollectiveKind::all_gather, CollectiveKind::reduce_scatter,
                               CollectiveKind::all_reduce, CollectiveKind::all_to_all,
                               CollectiveKind::send};

// The buffers of one call over `group` with about `bytes` of payload, in the memory that ops use.
class Call {
 public:
  Call(const Meter& meter, Communicator& group, CollectiveKind kind, int64_t bytes)
      : group_(group),
        kind_(kind),
        part_(std::max<int64_t>(1, bytes / size_in_bytes(DType::fp32) / group.size())),
        counts_(static_cast<size_t>(group.size()), part_),
        in_(meter.operands(part_ * group.size() * size_in_bytes(DType::fp32))),
        out_(meter.operands(in_.bytes())) {}

  void run() {
    switch (kind_) {
      case CollectiveKind::all_gather:
        return group_.all_gather(part(in_), whole(out_), counts_);
      case CollectiveKind::reduce_scatter:
        return group_.reduce_scatter(whole(in_), part(out_), counts_);
      case CollectiveKind::all_reduce:
        return group_.all_reduce(whole(in_));
      case CollectiveKind::all_to_all:
        return group_.all_to_all(whole(in_), counts_, whole(out_), counts_);
      case CollectiveKind::send:
        return shift();
      case CollectiveKind::recv:
      case CollectiveKind::broadcast:
        CHECK(false, "not measured: ", to_string(kind_));
    }
  }

 private:
  static Buffer whole(const Tensor& x) { return {x.raw(), x.size(), x.dtype(), x.device()}; }
  Buffer part(const Tensor& x) const { return {x.raw(), part_, x.dtype(), x.device()}; }

  // To the next rank, from the previous one.
  void shift() {
    const int next = (group_.rank() + 1) % group_.size();
    const int previous = (group_.rank() + group_.size() - 1) % group_.size();
    Request receive = group_.start_recv(whole(out_), previous, 0);
    Request send = group_.start_send(whole(in_), next, 0);
    receive.wait();
    send.wait();
  }

  Communicator& group_;
  CollectiveKind kind_;
  int64_t part_;
  std::vector<int64_t> counts_;
  Tensor in_, out_;  // (part_ * group.size())
};

}  // namespace

std::vector<int64_t> group_sizes(int64_t num_ranks) {
  std::vector<int64_t> sizes;
  for (int64_t size = 2; size < num_ranks; size = size < 4 ? size + 1 : 2 * size) {
    sizes.push_back(size);
  }
  sizes.push_back(num_ranks);
  return sizes;
}

int64_t link_jobs(int64_t num_ranks, const MeasureSizes& sizes) {
  if (num_ranks == 1) return 0;
  return static_cast<int64_t>(group_sizes(num_ranks).size() * kKinds.size() *
                              sizes.payload_bytes.size());
}

std::vector<TransferSample> measure_links(Meter& meter, const MeasureSizes& sizes) {
  Communicator& world = meter.world();
  std::vector<TransferSample> samples;
  for (const int64_t size : group_sizes(world.size())) {
    // Ranks that are left over join in no call but count and wait with the others.
    const int64_t index = world.rank() / size;
    const bool is_whole = (index + 1) * size <= world.size();
    const std::unique_ptr<Communicator> group =
        world.split(static_cast<int>(is_whole ? index : world.size() + world.rank()), world.rank());
    for (const CollectiveKind kind : kKinds) {
      double last_s = 0;
      int64_t last_bytes = 0;
      for (const int64_t bytes : sizes.payload_bytes) {
        const double growth =
            last_bytes > 0 ? static_cast<double>(bytes) / static_cast<double>(last_bytes) : 0;
        if (last_bytes > 0 && !meter.fits(last_s * growth)) {
          meter.skip(1);
          continue;
        }
        Call call(meter, is_whole ? *group : world, kind, bytes);
        last_s = meter.seconds([&] {
          if (is_whole) call.run();
        });
        last_bytes = bytes;
        samples.push_back(transfer(kind, size, bytes, last_s));
      }
    }
  }
  return samples;
}

}  // namespace argosy
