// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/mpi/mpi_transport.h"

#include <array>
#include <exception>
#include <utility>
#include <vector>

#include "comm/mpi/mpi_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

class MpiBatch : public MessageBatch {
 public:
  MpiBatch(MPI_Comm comm, int tag, int world_rank)
      : comm_(comm), tag_(tag), world_rank_(world_rank) {}
  ~MpiBatch() override { abandon(); }
  MpiBatch(const MpiBatch&) = delete;
  MpiBatch& operator=(const MpiBatch&) = delete;

  void send(const void* data, int64_t bytes, int peer) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(data, mpi_count(bytes), MPI_BYTE, peer, tag_, comm_, &request), "MPI_Isend",
              world_rank_);
    requests_.push_back(request);
    expected_.push_back({kSend, peer});
  }
  void recv(void* data, int64_t bytes, int peer) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(data, mpi_count(bytes), MPI_BYTE, peer, tag_, comm_, &request), "MPI_Irecv",
              world_rank_);
    requests_.push_back(request);
    expected_.push_back({bytes, peer});
  }
  bool test() override;

 private:
  static constexpr int64_t kSend = -1;
  struct Expected {
    int64_t bytes;  // of a receive; kSend
    int peer;
  };
  void check_status(const Expected& expected, const MPI_Status& status) const;
  void abandon() noexcept;

  MPI_Comm comm_;
  int tag_, world_rank_;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;
  std::vector<MPI_Status> statuses_;
};

bool MpiBatch::test() {
  if (requests_.empty()) return true;
  statuses_.resize(requests_.size());
  int all_done = 0;
  const int code = MPI_Testall(mpi_count(static_cast<int64_t>(requests_.size())), requests_.data(),
                               &all_done, statuses_.data());
  if (code == MPI_ERR_IN_STATUS) {
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (statuses_[i].MPI_ERROR == MPI_ERR_PENDING) continue;
      check_mpi(statuses_[i].MPI_ERROR, expected_[i].bytes == kSend ? "MPI_Isend" : "MPI_Irecv",
                world_rank_);
    }
  }
  check_mpi(code, "MPI_Testall", world_rank_);
  if (!all_done) return false;
  for (size_t i = 0; i < requests_.size(); ++i) check_status(expected_[i], statuses_[i]);
  requests_.clear();
  return true;
}

void MpiBatch::check_status(const Expected& expected, const MPI_Status& status) const {
  if (expected.bytes == kSend) return;
  int bytes = 0;
  check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count", world_rank_);
  if (bytes == expected.bytes) return;
  throw Error(concat("rank ", world_rank_, ": a message of ", bytes, " bytes from group rank ",
                     expected.peer, " met a receive of ", expected.bytes, " bytes"));
}

// Gives the messages up: the job is failing. Errors cannot matter any more.
void MpiBatch::abandon() noexcept {
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    if (expected_[i].bytes != kSend) MPI_Cancel(&requests_[i]);
    MPI_Request_free(&requests_[i]);
  }
}

// Frees its MPI communicators, unless an exception is in flight: then peers may never follow.
class MpiTransport : public Transport {
 public:
  explicit MpiTransport(int world_rank) : world_rank_(world_rank) { channels_.fill(MPI_COMM_NULL); }
  ~MpiTransport() override {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized || std::uncaught_exceptions() > 0) return;
    for (MPI_Comm& comm : channels_) {
      if (comm != MPI_COMM_NULL) MPI_Comm_free(&comm);
    }
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;

  void duplicate(MPI_Comm comm);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int max_tag() const override { return max_tag_; }
  std::unique_ptr<MessageBatch> open(Channel channel, int tag) override {
    return std::make_unique<MpiBatch>(channels_[static_cast<size_t>(channel)], tag, world_rank_);
  }
  std::shared_ptr<Transport> subgroup(const std::vector<int>& members, int64_t sequence,
                                      int color) override;
  void abort(int exit_code) override { MPI_Abort(channels_[0], exit_code); }

 private:
  std::array<MPI_Comm, kNumChannels> channels_;
  int world_rank_, rank_ = 0, size_ = 1, max_tag_ = 0;
};

void MpiTransport::duplicate(MPI_Comm comm) {
  for (MPI_Comm& channel : channels_) {
    check_mpi(MPI_Comm_dup(comm, &channel), "MPI_Comm_dup", world_rank_);
    check_mpi(MPI_Comm_set_errhandler(channel, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler",
              world_rank_);
  }
  check_mpi(MPI_Comm_rank(comm, &rank_), "MPI_Comm_rank", world_rank_);
  check_mpi(MPI_Comm_size(comm, &size_), "MPI_Comm_size", world_rank_);
  void* value = nullptr;
  int found = 0;
  check_mpi(MPI_Comm_get_attr(channels_[0], MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr",
            world_rank_);
  CHECK(found, "MPI_TAG_UB is not set");
  max_tag_ = *static_cast<int*>(value);
}

std::shared_ptr<Transport> MpiTransport::subgroup(const std::vector<int>& members, int64_t, int) {
  MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  check_mpi(MPI_Comm_group(channels_[0], &all), "MPI_Comm_group", world_rank_);
  check_mpi(
      MPI_Group_incl(all, mpi_count(static_cast<int64_t>(members.size())), members.data(), &some),
      "MPI_Group_incl", world_rank_);
  constexpr int kTag = 0;  // groups made at the same time have no rank in common
  check_mpi(MPI_Comm_create_group(channels_[0], some, kTag, &comm), "MPI_Comm_create_group",
            world_rank_);
  std::shared_ptr<Transport> transport = make_mpi_transport(comm, world_rank_);
  check_mpi(MPI_Comm_free(&comm), "MPI_Comm_free", world_rank_);
  check_mpi(MPI_Group_free(&some), "MPI_Group_free", world_rank_);
  check_mpi(MPI_Group_free(&all), "MPI_Group_free", world_rank_);
  return transport;
}

}  // namespace

std::shared_ptr<Transport> make_mpi_transport(MPI_Comm comm, int world_rank) {
  auto transport = std::make_shared<MpiTransport>(world_rank);
  transport->duplicate(comm);
  return transport;
}

}  // namespace argosy
