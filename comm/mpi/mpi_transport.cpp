// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/mpi/mpi_transport.h"

#include <exception>
#include <numeric>
#include <utility>
#include <vector>

#include "comm/mpi/mpi_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

class MpiBatch : public MessageBatch {
 public:
  // members: the group's ranks in comm.
  MpiBatch(MPI_Comm comm, const std::vector<int>& members, int tag, int world_rank)
      : comm_(comm), members_(members), tag_(tag), world_rank_(world_rank) {}
  ~MpiBatch() override { abandon(); }
  MpiBatch(const MpiBatch&) = delete;
  MpiBatch& operator=(const MpiBatch&) = delete;

  void send(const void* data, int64_t bytes, int peer) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(data, mpi_count(bytes), MPI_BYTE, rank_of(peer), tag_, comm_, &request),
              "MPI_Isend", world_rank_);
    requests_.push_back(request);
    expected_.push_back({kSend, peer});
  }
  void recv(void* data, int64_t bytes, int peer) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(data, mpi_count(bytes), MPI_BYTE, rank_of(peer), tag_, comm_, &request),
              "MPI_Irecv", world_rank_);
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
  int rank_of(int peer) const { return members_[static_cast<size_t>(peer)]; }
  void check_status(const Expected& expected, const MPI_Status& status) const;
  void abandon() noexcept;

  MPI_Comm comm_;
  const std::vector<int>& members_;  // the transport's, which the call keeps
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

// A duplicate of an MPI communicator, shared by groups whose messages differ in their tags. Freed
// unless an exception is in flight: then peers may never follow.
struct Duplicate {
  MPI_Comm comm = MPI_COMM_NULL;
  int64_t max_tag = 0;
  Duplicate(MPI_Comm of, int world_rank);
  ~Duplicate() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (!finalized && std::uncaught_exceptions() == 0) MPI_Comm_free(&comm);
  }
  Duplicate(const Duplicate&) = delete;
  Duplicate& operator=(const Duplicate&) = delete;
};

Duplicate::Duplicate(MPI_Comm of, int world_rank) {
  check_mpi(MPI_Comm_dup(of, &comm), "MPI_Comm_dup", world_rank);
  check_mpi(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler",
            world_rank);
  void* value = nullptr;
  int found = 0;
  check_mpi(MPI_Comm_get_attr(comm, MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr", world_rank);
  CHECK(found, "MPI_TAG_UB is not set");
  max_tag = *static_cast<int*>(value);
}

// Group number g of a duplicate owns the tags from g * kNumChannels * num_tags on, num_tags of them
// a channel. MPI_Comm_create_group for each of a mesh's groups would take most of the time of a
// start: Open MPI agrees on the number of a communicator in several rounds.
class MpiTransport : public Transport {
 public:
  MpiTransport(std::shared_ptr<Duplicate> duplicate, std::vector<int> members, int rank,
               int64_t group, int world_rank)
      : duplicate_(std::move(duplicate)),
        members_(std::move(members)),
        rank_(rank),
        num_tags_((duplicate_->max_tag + 1) / (kMaxGroups * kNumChannels)),
        first_tag_(group * kNumChannels * num_tags_),
        world_rank_(world_rank) {}

  static constexpr int64_t kMaxGroups = 256;  // leaves 2^22 tags to each of them under Open MPI

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_.size()); }
  int max_tag() const override { return static_cast<int>(num_tags_ - 1); }
  std::unique_ptr<MessageBatch> open(Channel channel, int tag) override {
    const int64_t of_channel = first_tag_ + static_cast<int64_t>(channel) * num_tags_;
    return std::make_unique<MpiBatch>(duplicate_->comm, members_, mpi_count(of_channel + tag),
                                      world_rank_);
  }
  std::shared_ptr<Transport> subgroup(const std::vector<int>& members, int64_t sequence,
                                      int color) override;
  void abort(int exit_code) override { MPI_Abort(duplicate_->comm, exit_code); }

 private:
  std::shared_ptr<Transport> duplicate_group(const std::vector<int>& members, int rank) const;

  std::shared_ptr<Duplicate> duplicate_;
  std::vector<int> members_;  // ranks in the duplicate
  int rank_;
  int64_t num_tags_, first_tag_;
  int world_rank_;
};

std::shared_ptr<Transport> MpiTransport::subgroup(const std::vector<int>& members, int64_t sequence,
                                                  int) {
  std::vector<int> of_duplicate;
  int rank = 0;
  for (const int member : members) {
    if (member == rank_) rank = static_cast<int>(of_duplicate.size());
    of_duplicate.push_back(members_[static_cast<size_t>(member)]);
  }
  if (sequence >= kMaxGroups) return duplicate_group(of_duplicate, rank);
  return std::make_shared<MpiTransport>(duplicate_, std::move(of_duplicate), rank, sequence,
                                        world_rank_);
}

// The tags are used up: a communicator of its own.
std::shared_ptr<Transport> MpiTransport::duplicate_group(const std::vector<int>& members,
                                                         int rank) const {
  MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  check_mpi(MPI_Comm_group(duplicate_->comm, &all), "MPI_Comm_group", world_rank_);
  check_mpi(
      MPI_Group_incl(all, mpi_count(static_cast<int64_t>(members.size())), members.data(), &some),
      "MPI_Group_incl", world_rank_);
  constexpr int kTag = 0;  // groups made at the same time have no rank in common
  check_mpi(MPI_Comm_create_group(duplicate_->comm, some, kTag, &comm), "MPI_Comm_create_group",
            world_rank_);
  auto duplicate = std::make_shared<Duplicate>(comm, world_rank_);
  check_mpi(MPI_Comm_free(&comm), "MPI_Comm_free", world_rank_);
  check_mpi(MPI_Group_free(&some), "MPI_Group_free", world_rank_);
  check_mpi(MPI_Group_free(&all), "MPI_Group_free", world_rank_);
  std::vector<int> everyone(members.size());
  std::iota(everyone.begin(), everyone.end(), 0);
  constexpr int64_t kFirstGroup = 0;
  return std::make_shared<MpiTransport>(std::move(duplicate), std::move(everyone), rank,
                                        kFirstGroup, world_rank_);
}

}  // namespace

std::shared_ptr<Transport> make_mpi_transport(MPI_Comm comm, int world_rank) {
  int rank = 0, size = 0;
  check_mpi(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank", world_rank);
  check_mpi(MPI_Comm_size(comm, &size), "MPI_Comm_size", world_rank);
  std::vector<int> everyone(static_cast<size_t>(size));
  std::iota(everyone.begin(), everyone.end(), 0);
  constexpr int64_t kFirstGroup = 0;
  return std::make_shared<MpiTransport>(std::make_shared<Duplicate>(comm, world_rank),
                                        std::move(everyone), rank, kFirstGroup, world_rank);
}

}  // namespace argosy
