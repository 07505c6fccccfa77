// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_communicator.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "comm/arguments.h"
#include "comm/nccl/nccl_check.h"
#include "comm/nccl/nccl_handle.h"
#include "comm/nccl/nccl_transfers.h"
#include "comm/nccl/nccl_types.h"
#include "comm/self/self_communicator.h"

namespace argosy {
namespace {

bool all_equal(std::span<const int64_t> counts) {
  return std::adjacent_find(counts.begin(), counts.end(), std::not_equal_to<>()) == counts.end();
}

// Calls body(owner, begin, count) for each part with elements; parts lie one after the other.
template <typename Byte, typename Body>
void for_each_part(Byte* data, std::span<const int64_t> counts, int64_t element_bytes,
                   const Body& body) {
  for (size_t owner = 0; owner < counts.size(); ++owner) {
    if (counts[owner] > 0) {
      body(static_cast<int>(owner), data, static_cast<size_t>(counts[owner]));
    }
    data += counts[owner] * element_bytes;
  }
}

// What all communicators of a rank share.
struct RankDevice {
  RankDevice(int world_rank, DeviceStreams& streams_, NcclOptions options_)
      : rank(world_rank), streams(streams_), options(options_) {
    streams.set_while_waiting([this] { poll(); });
  }
  ~RankDevice() { streams.set_while_waiting({}); }
  RankDevice(const RankDevice&) = delete;
  RankDevice& operator=(const RankDevice&) = delete;
  void poll() {
    for (NcclTransfers* one : transfers) one->poll();
    rank.check();
  }
  template <typename Condition>
  void poll_until(const Condition& holds) {
    while (!holds()) {
      poll();
      sched_yield();
    }
  }

  NcclRank rank;
  DeviceStreams& streams;
  NcclOptions options;
  std::vector<NcclTransfers*> transfers;
};

// Calls that NCCL takes as one. A group that an error leaves open would swallow what comes next.
class CallGroup {
 public:
  explicit CallGroup(int rank) { check_nccl(ncclGroupStart(), "ncclGroupStart", rank); }
  ~CallGroup() {
    if (is_open_) (void)ncclGroupEnd();
  }
  CallGroup(const CallGroup&) = delete;
  CallGroup& operator=(const CallGroup&) = delete;
  ncclResult_t end() {
    is_open_ = false;
    return ncclGroupEnd();
  }

 private:
  bool is_open_ = true;
};

// A call on its queue. Others' transfers move on whenever this rank looks.
class QueuedState : public Request::State {
 public:
  QueuedState(RankDevice& device, std::unique_ptr<DeviceMark> end, DeviceSpan span)
      : device_(device), end_(std::move(end)), span_(span) {}
  void wait() override {
    device_.poll();
    device_.streams.compute().wait_for(*end_);
  }
  bool test() override {
    device_.poll();
    return !device_.streams.is_capturing() && end_->reached();
  }
  bool is_on_device() const override { return true; }
  DeviceSpan device_span() const override { return span_; }

 private:
  RankDevice& device_;
  std::unique_ptr<DeviceMark> end_;
  DeviceSpan span_;
};

// A call of the hosts. They too wait for ranks that may wait for a transfer of this one.
class HostsState : public Request::State {
 public:
  HostsState(RankDevice& device, Request inner) : device_(device), inner_(std::move(inner)) {}
  void wait() override {
    device_.poll_until([&] { return inner_.test(); });
    inner_.wait();
  }
  bool test() override {
    device_.poll();
    return inner_.test();
  }

 private:
  RankDevice& device_;
  Request inner_;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> hosts, std::shared_ptr<RankDevice> device)
      : hosts_(std::move(hosts)),
        messages_(hosts_->split(0, hosts_->rank())),
        device_(std::move(device)),
        transfers_(device_->rank, *messages_, device_->streams, device_->options.connect_limit_s,
                   [device = device_.get()] { device->poll(); }) {
    device_->transfers.push_back(&transfers_);
  }
  ~NcclCommunicator() override { std::erase(device_->transfers, &transfers_); }

  int rank() const override { return hosts_->rank(); }
  int size() const override { return hosts_->size(); }
  bool sums_in_rank_order() const override { return size() == 1; }
  CommRoute route() const override { return hosts_->route(); }
  void barrier() override { hosts_->barrier(); }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return std::make_unique<NcclCommunicator>(hosts_->split(color, key), device_);
  }
  std::unique_ptr<Communicator> alone() override {
    return std::make_unique<NcclCommunicator>(make_self_communicator(), device_);
  }
  void abort(int exit_code) override {
    device_->rank.abort_all();
    hosts_->abort(exit_code);
  }

  Request start_all_reduce(Buffer inout, ReduceOp op) override;
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override;
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override;
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override;
  Request start_broadcast(Buffer inout, int root) override;
  Request start_send(ConstBuffer input, int peer, int tag) override;
  Request start_recv(Buffer output, int peer, int tag) override;

 private:
  // Puts call(communicator, stream) on the group's queue, behind what ops have begun.
  template <typename Call>
  Request enqueue(const char* name, const Call& call);
  // The same for several calls that NCCL takes as one.
  template <typename Call>
  Request enqueue_group(const char* name, const Call& call);
  void connect();
  Request of_hosts(Request inner) {
    return Request(std::make_unique<HostsState>(*device_, std::move(inner)));
  }

  std::unique_ptr<Communicator> hosts_, messages_;
  std::shared_ptr<RankDevice> device_;
  std::unique_ptr<DeviceQueue> queue_;  // made with the first call, like the handle
  std::unique_ptr<NcclHandle> handle_;
  NcclTransfers transfers_;
};

// Collective, as the call that needs it is.
void NcclCommunicator::connect() {
  if (handle_) return;
  ncclUniqueId id{};
  if (rank() == 0) check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId", device_->rank.world_rank());
  static_assert(sizeof id % sizeof(int32_t) == 0);
  std::array<int32_t, sizeof id / sizeof(int32_t)> words{};
  std::memcpy(words.data(), &id, sizeof id);
  // The others may come only after they have received what this rank has still to put on its way.
  of_hosts(messages_->start_broadcast(
               {words.data(), static_cast<int64_t>(words.size()), DType::int32}, 0))
      .wait();
  std::memcpy(&id, words.data(), sizeof id);
  queue_ = device_->streams.make_queue();
  handle_ =
      std::make_unique<NcclHandle>(device_->rank, id, size(), rank(),
                                   device_->options.connect_limit_s, concat("group of ", size()));
  device_->poll_until([&] { return handle_->ready(); });
}

template <typename Call>
Request NcclCommunicator::enqueue(const char* name, const Call& call) {
  connect();
  device_->poll();
  queue_->wait_for(*device_->streams.compute().mark());
  DeviceClock* clock = device_->streams.clock();
  DeviceSpan span;
  span.begin = stamp_of(clock, *queue_);
  handle_->begin(call(handle_->get(), nccl_stream(*queue_)), name);
  device_->poll_until([&] { return handle_->taken(); });  // no call is on the queue before
  span.end = stamp_of(clock, *queue_);
  return Request(std::make_unique<QueuedState>(*device_, queue_->mark(), span));
}

template <typename Call>
Request NcclCommunicator::enqueue_group(const char* name, const Call& call) {
  return enqueue(name, [&](ncclComm_t comm, cudaStream_t stream) {
    const int rank = device_->rank.world_rank();
    CallGroup group(rank);
    call([&](ncclResult_t code) { check_nccl(code, name, rank, comm); }, comm, stream);
    return group.end();
  });
}

Request NcclCommunicator::start_all_reduce(Buffer inout, ReduceOp op) {
  if (inout.device == Device::cpu) return of_hosts(hosts_->start_all_reduce(inout, op));
  check_buffer("all_reduce", inout, Device::cuda);
  if (inout.count == 0 || size() == 1) return Request();
  return enqueue("ncclAllReduce", [&](ncclComm_t comm, cudaStream_t stream) {
    return ncclAllReduce(inout.data, inout.data, static_cast<size_t>(inout.count),
                         nccl_number_type(inout.dtype), op == ReduceOp::sum ? ncclSum : ncclMax,
                         comm, stream);
  });
}

Request NcclCommunicator::start_reduce_scatter(ConstBuffer input, Buffer output,
                                               std::span<const int64_t> counts) {
  if (input.device == Device::cpu)
    return of_hosts(hosts_->start_reduce_scatter(input, output, counts));
  check_reduce_scatter(input, output, counts, rank(), size(), Device::cuda);
  if (input.count == 0) return Request();
  const ncclDataType_t type = nccl_number_type(input.dtype);
  if (all_equal(counts)) {
    return enqueue("ncclReduceScatter", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclReduceScatter(input.data, output.data, static_cast<size_t>(counts[0]), type,
                               ncclSum, comm, stream);
    });
  }
  return enqueue_group("ncclReduce", [&](const auto& check, ncclComm_t comm, cudaStream_t stream) {
    for_each_part(static_cast<const char*>(input.data), counts, size_in_bytes(input.dtype),
                  [&](int root, const char* part, size_t count) {
                    check(ncclReduce(part, output.data, count, type, ncclSum, root, comm, stream));
                  });
  });
}

Request NcclCommunicator::start_all_gather(ConstBuffer input, Buffer output,
                                           std::span<const int64_t> counts) {
  if (input.device == Device::cpu) return of_hosts(hosts_->start_all_gather(input, output, counts));
  check_all_gather(input, output, counts, rank(), size(), Device::cuda);
  if (output.count == 0) return Request();
  const ncclDataType_t type = nccl_type(input.dtype);
  if (all_equal(counts)) {
    return enqueue("ncclAllGather", [&](ncclComm_t comm, cudaStream_t stream) {
      return ncclAllGather(input.data, output.data, static_cast<size_t>(counts[0]), type, comm,
                           stream);
    });
  }
  return enqueue_group(
      "ncclBroadcast", [&](const auto& check, ncclComm_t comm, cudaStream_t stream) {
        for_each_part(static_cast<char*>(output.data), counts, size_in_bytes(input.dtype),
                      [&](int root, char* part, size_t count) {
                        check(ncclBroadcast(input.data, part, count, type, root, comm, stream));
                      });
      });
}

Request NcclCommunicator::start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts,
                                           Buffer output, std::span<const int64_t> recv_counts) {
  if (input.device == Device::cpu) {
    return of_hosts(hosts_->start_all_to_all(input, send_counts, output, recv_counts));
  }
  check_all_to_all(input, send_counts, output, recv_counts, rank(), size(), Device::cuda);
  const ncclDataType_t type = nccl_type(input.dtype);
  const int64_t element_bytes = size_in_bytes(input.dtype);
  return enqueue_group(
      "all_to_all by ncclSend and ncclRecv",
      [&](const auto& check, ncclComm_t comm, cudaStream_t stream) {
        const auto* from = static_cast<const char*>(input.data);
        auto* to = static_cast<char*>(output.data);
        for (int peer = 0; peer < size(); ++peer) {
          const int64_t send = send_counts[static_cast<size_t>(peer)];
          const int64_t recv = recv_counts[static_cast<size_t>(peer)];
          if (send > 0) check(ncclSend(from, static_cast<size_t>(send), type, peer, comm, stream));
          if (recv > 0) check(ncclRecv(to, static_cast<size_t>(recv), type, peer, comm, stream));
          from += send * element_bytes;
          to += recv * element_bytes;
        }
      });
}

Request NcclCommunicator::start_broadcast(Buffer inout, int root) {
  if (inout.device == Device::cpu) return of_hosts(hosts_->start_broadcast(inout, root));
  check_buffer("broadcast", inout, Device::cuda);
  check_root(root, size());
  if (inout.count == 0 || size() == 1) return Request();
  return enqueue("ncclBroadcast", [&](ncclComm_t comm, cudaStream_t stream) {
    return ncclBroadcast(inout.data, inout.data, static_cast<size_t>(inout.count),
                         nccl_type(inout.dtype), root, comm, stream);
  });
}

Request NcclCommunicator::start_send(ConstBuffer input, int peer, int tag) {
  if (input.device == Device::cpu) return of_hosts(hosts_->start_send(input, peer, tag));
  check_buffer("send", input, Device::cuda);
  check_peer("send", peer, tag, rank(), size());
  return transfers_.start_send(input, peer, tag);
}

Request NcclCommunicator::start_recv(Buffer output, int peer, int tag) {
  if (output.device == Device::cpu) return of_hosts(hosts_->start_recv(output, peer, tag));
  check_buffer("recv", output, Device::cuda);
  check_peer("recv", peer, tag, rank(), size());
  return transfers_.start_recv(output, peer, tag);
}

// Which ranks run on one GPU; all find the same.
void check_own_devices(Communicator& hosts, DeviceStreams& streams) {
  constexpr size_t kWords = 16;  // 64 bytes: a UUID as text is 40
  std::array<int32_t, kWords> mine{};
  const std::string id = streams.device_id();
  CHECK(id.size() < sizeof mine, id);
  std::memcpy(mine.data(), id.data(), id.size());
  std::vector<int32_t> all(kWords * static_cast<size_t>(hosts.size()));
  hosts.all_gather({mine.data(), static_cast<int64_t>(kWords), DType::int32},
                   {all.data(), static_cast<int64_t>(all.size()), DType::int32},
                   std::vector<int64_t>(static_cast<size_t>(hosts.size()), kWords));
  for (int b = 1; b < hosts.size(); ++b) {
    for (int a = 0; a < b; ++a) {
      const auto words = [&](int rank) { return all.data() + static_cast<size_t>(rank) * kWords; };
      if (std::memcmp(words(a), words(b), sizeof mine) != 0) continue;
      throw ConfigError(concat(
          "ranks ", a, " and ", b, " run on one GPU, ", reinterpret_cast<const char*>(words(a)),
          "; valid: one rank a GPU with all GPUs visible to each rank, or --share-gpus for tests"));
    }
  }
}

}  // namespace

// NCCL_ALGO: rings add in the order of the ranks on the ring, which the topology decides; trees and
// switches that add are chosen by size and may change. NCCL_HOSTID: NCCL 2.28 refuses two ranks on
// one device of a host, by a hash of this name; with other names they talk over the loopback.
// NCCL_MULTI_RANK_GPU_ENABLE: the same permission from NCCL 2.30 on.
void prepare_nccl_environment(int world_rank, bool share_devices) {
  constexpr int kKeepExisting = 0;
  setenv("NCCL_ALGO", "Ring", kKeepExisting);
  if (!share_devices) return;
  setenv("NCCL_HOSTID", concat("argosy-rank-", world_rank).c_str(), kKeepExisting);
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", kKeepExisting);
}

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> hosts,
                                                     DeviceStreams& streams,
                                                     const NcclOptions& options) {
  if (!options.share_devices) check_own_devices(*hosts, streams);
  auto device = std::make_shared<RankDevice>(hosts->rank(), streams, options);
  return std::make_unique<NcclCommunicator>(std::move(hosts), std::move(device));
}

}  // namespace argosy
