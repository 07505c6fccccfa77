// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/self/self_communicator.h"

#include <cstring>

#include "comm/arguments.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

void copy(ConstBuffer from, Buffer to) {
  if (from.data != to.data && from.count > 0) {
    std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
  }
}

class SelfCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }

  Request start_all_reduce(Buffer inout, ReduceOp) override {
    check_buffer("all_reduce", inout);
    return Request();
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    check_reduce_scatter(input, output, counts, 0, 1);
    copy(input, output);
    return Request();
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    check_all_gather(input, output, counts, 0, 1);
    copy(input, output);
    return Request();
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    check_all_to_all(input, send_counts, output, recv_counts, 0, 1);
    copy(input, output);
    return Request();
  }
  Request start_broadcast(Buffer inout, int root) override {
    check_buffer("broadcast", inout);
    check_root(root, 1);
    return Request();
  }
  Request start_send(ConstBuffer, int peer, int tag) override {
    check_peer("send", peer, tag, 0, 1);
    return Request();
  }
  Request start_recv(Buffer, int peer, int tag) override {
    check_peer("recv", peer, tag, 0, 1);
    return Request();
  }
  void barrier() override {}
  std::unique_ptr<Communicator> split(int, int) override { return make_self_communicator(); }
  void abort(int exit_code) override {
    throw Error(concat("abort(", exit_code, ") of a group of one"));
  }
};

}  // namespace

std::unique_ptr<Communicator> make_self_communicator() {
  return std::make_unique<SelfCommunicator>();
}

}  // namespace argosy
