// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Send and receive on device memory. NCCL knows no tags, runs the calls of a communicator one after
// the other, and a send ends with its receive: two ranks that send to each other first would wait
// for ever. So each direction between two ranks is a communicator and a queue of its own, and a
// transfer is put on both sides' queues when both have asked for it:
//   receiver -> sender   "wanted": the tag of a receive that was started
//   sender -> receiver   "goes": the tag of the send that meets it, and at first the direction's id
// Both travel between the hosts; the order of "goes" is the order on both queues.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "comm/communicator.h"
#include "comm/device_streams.h"
#include "comm/nccl/nccl_handle.h"

namespace argosy {

class NcclTransfers {
 public:
  // hosts: the same ranks, for messages that are nobody else's. poll_all moves on what this rank
  // has in any group, and throws when one has failed: whoever waits here must not keep others
  // waiting.
  NcclTransfers(NcclRank& rank, Communicator& hosts, DeviceStreams& streams, double limit_s,
                std::function<void()> poll_all)
      : rank_(rank),
        hosts_(hosts),
        streams_(streams),
        limit_s_(limit_s),
        poll_all_(std::move(poll_all)) {}

  Request start_send(ConstBuffer input, int peer, int tag);
  Request start_recv(Buffer output, int peer, int tag);
  void poll();  // moves on what can be

 private:
  struct Transfer {
    void* data = nullptr;
    int64_t count = 0;
    DType dtype = DType::fp32;
    int tag = 0;
    std::unique_ptr<DeviceMark> begin;  // where compute was when it was started
    std::unique_ptr<DeviceMark> end;    // once it is on its queue
    DeviceSpan span;                    // of it there
  };
  class TransferState;
  using Transfers = std::deque<std::shared_ptr<Transfer>>;

  static constexpr size_t kIdWords = sizeof(ncclUniqueId) / sizeof(int32_t);
  struct Goes {
    int32_t tag = 0;
    std::array<int32_t, kIdWords> id{};  // of the direction; the same every time
  };
  template <typename Message>
  struct Outgoing {
    std::shared_ptr<Message> message;
    Request request;
  };
  // To or from one peer.
  struct Direction {
    std::unique_ptr<DeviceQueue> queue;
    std::unique_ptr<NcclHandle> handle;
    ncclUniqueId id{};
    Transfers waiting;                 // for the other side
    Transfers matched;                 // in the order of "goes"; for the communicator to be made
    std::shared_ptr<Transfer> called;  // its call was made and is not taken yet
    // Messages of the other side: one is listened for at a time, one for each transfer of this.
    Request hearing;
    bool is_hearing = false;
    int64_t to_hear = 0;
  };
  struct Sending : Direction {
    int32_t heard = 0;
    std::deque<int32_t> wanted;  // tags that no send has met yet
    std::deque<Outgoing<Goes>> told;
  };
  struct Receiving : Direction {
    Goes heard;
    std::deque<Outgoing<int32_t>> told;
  };

  std::shared_ptr<Transfer> make_transfer(void* data, ConstBuffer buffer, int tag);
  Request request_of(std::shared_ptr<Transfer> transfer);
  void connect(Direction& direction, int peer, bool sends);
  // True once for each message of the peer.
  bool hears(Direction& direction, Buffer message, int peer, int tag);
  void poll_sending(int peer, Sending& sending);
  void poll_receiving(int peer, Receiving& receiving);
  // Pairs wanted tags with sends, and tells the receiver.
  void meet(int peer, Sending& sending);
  // Never waits: what the other side has to do first may wait for this one's other directions.
  void put_on_queue(Direction& direction, bool sends);

  NcclRank& rank_;
  Communicator& hosts_;
  DeviceStreams& streams_;
  double limit_s_;
  std::function<void()> poll_all_;
  std::map<int, Sending> sending_;      // by peer
  std::map<int, Receiving> receiving_;  // by peer
};

}  // namespace argosy
