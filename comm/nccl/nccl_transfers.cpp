// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/nccl/nccl_transfers.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "comm/nccl/nccl_check.h"
#include "comm/nccl/nccl_types.h"

namespace argosy {
namespace {

constexpr int kWanted = 0, kGoes = 1;      // tags of the hosts' messages
constexpr int kSender = 0, kReceiver = 1;  // members of a direction's communicator

template <typename Messages>
void forget_delivered(Messages& told) {
  while (!told.empty() && told.front().request.test()) {
    told.front().request.wait();
    told.pop_front();
  }
}

}  // namespace

class NcclTransfers::TransferState : public Request::State {
 public:
  TransferState(NcclTransfers& transfers, std::shared_ptr<Transfer> transfer)
      : transfers_(transfers), transfer_(std::move(transfer)) {}
  void wait() override {
    while (!transfer_->end) {
      transfers_.poll_all_();
      if (!transfer_->end) sched_yield();
    }
    transfers_.streams_.compute().wait_for(*transfer_->end);
  }
  bool test() override {
    transfers_.poll_all_();
    return transfer_->end && transfer_->end->reached();
  }
  bool is_on_device() const override { return true; }
  DeviceSpan device_span() const override { return transfer_->span; }

 private:
  NcclTransfers& transfers_;
  std::shared_ptr<Transfer> transfer_;
};

std::shared_ptr<NcclTransfers::Transfer> NcclTransfers::make_transfer(void* data,
                                                                      ConstBuffer buffer, int tag) {
  auto transfer = std::make_shared<Transfer>();
  transfer->data = data;
  transfer->count = buffer.count;
  transfer->dtype = buffer.dtype;
  transfer->tag = tag;
  transfer->begin = streams_.compute().mark();
  return transfer;
}

Request NcclTransfers::request_of(std::shared_ptr<Transfer> transfer) {
  poll();  // which may take it from the lists
  return Request(std::make_unique<TransferState>(*this, std::move(transfer)));
}

Request NcclTransfers::start_send(ConstBuffer input, int peer, int tag) {
  Sending& sending = sending_[peer];
  sending.waiting.push_back(make_transfer(const_cast<void*>(input.data), input, tag));  // only read
  ++sending.to_hear;
  return request_of(sending.waiting.back());
}

Request NcclTransfers::start_recv(Buffer output, int peer, int tag) {
  Receiving& receiving = receiving_[peer];
  receiving.waiting.push_back(make_transfer(output.data, output, tag));
  const std::shared_ptr<Transfer> transfer = receiving.waiting.back();
  const auto message = std::make_shared<int32_t>(tag);
  receiving.told.push_back(
      {message, hosts_.start_send({message.get(), 1, DType::int32}, peer, kWanted)});
  ++receiving.to_hear;
  return request_of(transfer);
}

void NcclTransfers::poll() {
  for (auto& [peer, sending] : sending_) poll_sending(peer, sending);
  for (auto& [peer, receiving] : receiving_) poll_receiving(peer, receiving);
}

bool NcclTransfers::hears(Direction& direction, Buffer message, int peer, int tag) {
  if (!direction.is_hearing) {
    if (direction.to_hear == 0) return false;
    direction.hearing = hosts_.start_recv(message, peer, tag);
    direction.is_hearing = true;
  }
  if (!direction.hearing.test()) return false;
  direction.hearing.wait();
  direction.is_hearing = false;
  --direction.to_hear;
  return true;
}

void NcclTransfers::poll_sending(int peer, Sending& sending) {
  while (hears(sending, {&sending.heard, 1, DType::int32}, peer, kWanted)) {
    sending.wanted.push_back(sending.heard);
  }
  meet(peer, sending);
  forget_delivered(sending.told);
  put_on_queue(sending, true);
}

void NcclTransfers::meet(int peer, Sending& sending) {
  for (auto tag = sending.wanted.begin(); tag != sending.wanted.end();) {
    const auto send = std::find_if(sending.waiting.begin(), sending.waiting.end(),
                                   [&](const auto& transfer) { return transfer->tag == *tag; });
    if (send == sending.waiting.end()) {
      ++tag;
      continue;
    }
    if (!sending.handle) {
      check_nccl(ncclGetUniqueId(&sending.id), "ncclGetUniqueId", rank_.world_rank());
      connect(sending, peer, true);
    }
    const auto goes = std::make_shared<Goes>();
    goes->tag = *tag;
    std::memcpy(goes->id.data(), &sending.id, sizeof sending.id);
    const auto words = static_cast<int64_t>(1 + kIdWords);
    sending.told.push_back(
        {goes, hosts_.start_send({&goes->tag, words, DType::int32}, peer, kGoes)});
    sending.matched.push_back(*send);
    sending.waiting.erase(send);
    tag = sending.wanted.erase(tag);
  }
}

void NcclTransfers::poll_receiving(int peer, Receiving& receiving) {
  const auto words = static_cast<int64_t>(1 + kIdWords);
  while (hears(receiving, {&receiving.heard.tag, words, DType::int32}, peer, kGoes)) {
    if (!receiving.handle) {
      std::memcpy(&receiving.id, receiving.heard.id.data(), sizeof receiving.id);
      connect(receiving, peer, false);
    }
    const auto recv =
        std::find_if(receiving.waiting.begin(), receiving.waiting.end(),
                     [&](const auto& transfer) { return transfer->tag == receiving.heard.tag; });
    CHECK(recv != receiving.waiting.end(), "rank ", peer, " sends tag ", receiving.heard.tag,
          ", which nobody waits for");
    receiving.matched.push_back(*recv);
    receiving.waiting.erase(recv);
  }
  forget_delivered(receiving.told);
  put_on_queue(receiving, false);
}

void NcclTransfers::connect(Direction& direction, int peer, bool sends) {
  direction.queue = streams_.make_queue();
  direction.handle = std::make_unique<NcclHandle>(
      rank_, direction.id, 2, sends ? kSender : kReceiver, limit_s_,
      concat("direction ", sends ? "to" : "from", " rank ", peer, " of its group"));
}

void NcclTransfers::put_on_queue(Direction& direction, bool sends) {
  for (;;) {
    if (direction.called) {
      if (!direction.handle->taken()) return;
      direction.called->span.end = stamp_of(streams_.clock(), *direction.queue);
      direction.called->end = direction.queue->mark();
      direction.called.reset();
    }
    if (direction.matched.empty() || !direction.handle->ready()) return;
    direction.called = std::move(direction.matched.front());
    direction.matched.pop_front();
    Transfer& transfer = *direction.called;
    direction.queue->wait_for(*transfer.begin);
    transfer.span.begin = stamp_of(streams_.clock(), *direction.queue);
    const auto count = static_cast<size_t>(transfer.count);
    const ncclDataType_t type = nccl_type(transfer.dtype);
    const cudaStream_t stream = nccl_stream(*direction.queue);
    ncclComm_t comm = direction.handle->get();
    if (sends) {
      direction.handle->begin(ncclSend(transfer.data, count, type, kReceiver, comm, stream),
                              "ncclSend");
    } else {
      direction.handle->begin(ncclRecv(transfer.data, count, type, kSender, comm, stream),
                              "ncclRecv");
    }
  }
}

}  // namespace argosy
