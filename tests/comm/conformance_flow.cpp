// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

// Large enough for several rounds of messages inside one call.
constexpr int64_t kManyPieces = 700001;

void expect_ones_summed(const std::vector<float>& values, int size) {
  for (const float v : values) ASSERT_EQ(v, static_cast<float>(size));
}

}  // namespace

void check_several_in_flight(Communicator& world) {
  const auto self = static_cast<size_t>(world.rank());
  std::vector<std::vector<float>> reduced(4, std::vector<float>(kManyPieces / 4, 1.0f));
  const std::vector<int64_t> counts(static_cast<size_t>(world.size()), 30011);
  std::vector<float> all(static_cast<size_t>(30011 * world.size())), part(30011, 1.0f);
  const std::vector<double> mine = values_of<double>(world.rank(), 30011);
  std::vector<double> gathered(static_cast<size_t>(30011 * world.size()));

  std::vector<Request> requests;
  for (std::vector<float>& values : reduced) {
    requests.push_back(world.start_all_reduce(buffer_of(values), ReduceOp::sum));
  }
  requests.push_back(world.start_all_gather(buffer_of(mine), buffer_of(gathered), counts));
  requests.push_back(world.start_all_to_all(buffer_of(std::vector<float>()),
                                            std::vector<int64_t>(counts.size(), 0), Buffer(),
                                            std::vector<int64_t>(counts.size(), 0)));
  requests.push_back(world.start_all_gather(buffer_of(part), buffer_of(all), counts));
  for (Request& request : requests) request.wait();
  for (const std::vector<float>& values : reduced) expect_ones_summed(values, world.size());
  for (const float v : all) ASSERT_EQ(v, 1.0f);
  const auto begin = gathered.begin() + static_cast<int64_t>(self) * 30011;
  expect_same_bits(mine, std::vector<double>(begin, begin + 30011), "own part");
}

// Odd ranks wait for the last call first: every wait must move all calls on.
void check_waits_in_another_order(Communicator& world) {
  std::vector<float> a(kManyPieces, 1.0f), b(kManyPieces, 1.0f);
  Request first = world.start_all_reduce(buffer_of(a), ReduceOp::sum);
  Request second = world.start_all_reduce(buffer_of(b), ReduceOp::sum);
  if (world.rank() % 2 == 1) std::swap(first, second);
  first.wait();
  second.wait();
  expect_ones_summed(a, world.size());
  expect_ones_summed(b, world.size());
}

// Rank 0 waits for a message that rank 1 sends only after the reduction on another communicator,
// to which rank 0 must go on contributing meanwhile.
void check_progress_across_communicators(Communicator& world) {
  const std::unique_ptr<Communicator> other = world.split(0, world.rank());
  std::vector<float> values(kManyPieces, 1.0f);
  std::vector<int32_t> token(1, world.rank() == 1 ? 42 : 0);
  Request reducing = world.start_all_reduce(buffer_of(values), ReduceOp::sum);
  if (world.size() > 1 && world.rank() == 0) other->recv(buffer_of(token), 1, 0);
  reducing.wait();
  if (world.rank() == 1) other->send(buffer_of(token), 0, 0);
  EXPECT_EQ(token[0], world.size() > 1 && world.rank() <= 1 ? 42 : 0);
  expect_ones_summed(values, world.size());
}

void check_destroyed_request_waits(Communicator& world) {
  std::vector<float> values(kManyPieces, 1.0f), others(kManyPieces, 1.0f);
  {
    Request request = world.start_all_reduce(buffer_of(values), ReduceOp::sum);
    request = world.start_all_reduce(buffer_of(others), ReduceOp::sum);  // waits for the first
    expect_ones_summed(values, world.size());
  }
  expect_ones_summed(others, world.size());
}

void check_test_finishes(Communicator& world) {
  std::vector<float> values(kManyPieces, 1.0f);
  Request request = world.start_all_reduce(buffer_of(values), ReduceOp::sum);
  while (!request.test()) std::this_thread::yield();
  request.wait();
  EXPECT_TRUE(request.test());
  expect_ones_summed(values, world.size());
  EXPECT_TRUE(Request().test());
}

// Two colors, in the reverse order of the ranks; then a group of each rank alone.
void check_split(Communicator& world) {
  const int rank = world.rank(), color = rank % 2;
  const std::unique_ptr<Communicator> half = world.split(color, -rank);
  std::vector<int> members;
  for (int peer = world.size() - 1; peer >= 0; --peer) {
    if (peer % 2 == color) members.push_back(peer);
  }
  ASSERT_EQ(half->size(), static_cast<int>(members.size()));
  ASSERT_EQ(members[static_cast<size_t>(half->rank())], rank);
  std::vector<int32_t> all(members.size()), own(1, rank);
  half->all_gather(buffer_of(own), buffer_of(all), std::vector<int64_t>(members.size(), 1));
  for (size_t i = 0; i < members.size(); ++i) EXPECT_EQ(all[i], members[i]);

  const std::unique_ptr<Communicator> alone = world.split(rank, 0);
  EXPECT_EQ(alone->size(), 1);
  alone->all_reduce(buffer_of(own));
  EXPECT_EQ(own[0], rank);
  half->barrier();
}

// Nobody leaves before the last has come.
void check_barrier(Communicator& world) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLate = std::chrono::milliseconds(20);
  for (int late = 0; late < world.size(); ++late) {
    // The late rank tells when it came: steady clocks of one host agree.
    world.barrier();
    if (world.rank() == late) std::this_thread::sleep_for(kLate);
    int64_t came = Clock::now().time_since_epoch().count();
    world.barrier();
    const int64_t left = Clock::now().time_since_epoch().count();
    world.broadcast({&came, 1, DType::fp64}, late);  // 8 bytes, only moved
    EXPECT_GE(left, came) << "rank " << world.rank() << " left before rank " << late << " came";
  }
}

void check_wrong_arguments(Communicator& world) {
  std::vector<float> values(4);
  const auto size = static_cast<size_t>(world.size());
  const std::vector<int64_t> too_many(size + 1, 0), wrong_sum(size, 100);
  EXPECT_THROW(world.all_gather(buffer_of(values), buffer_of(values), too_many), std::logic_error);
  EXPECT_THROW(world.reduce_scatter(buffer_of(values), buffer_of(values), wrong_sum),
               std::logic_error);
  EXPECT_THROW(world.broadcast(buffer_of(values), world.size()), std::logic_error);
  EXPECT_THROW(world.send(buffer_of(values), world.rank(), 0), std::logic_error);
  EXPECT_THROW(world.all_reduce({nullptr, 3, DType::fp32}), std::logic_error);
  EXPECT_THROW(world.all_reduce({values.data(), 4, DType::fp32, Device::cuda}), std::logic_error);
}

}  // namespace argosy
