// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// On an emulated GPU whose copies run as late as they may: whoever does not wait for them
// overwrites what they read.
#include "trainer/background_save.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/device/device_context.h"
#include "trainer/device/host_copy.h"

namespace argosy {
namespace {

using cuda_emulation::Timing;

// Pinned memory that may be refused.
class CountingCopies : public PinnedCopies {
 public:
  explicit CountingCopies(PinnedCopies& inner) : inner_(inner) {}
  void* allocate(int64_t bytes) override {
    if (fails) return nullptr;
    ++num_allocated;
    return inner_.allocate(bytes);
  }
  void release(void* pinned) noexcept override { inner_.release(pinned); }
  void begin(const DeviceQueue& queue, const void* data, void* pinned, int64_t bytes) override {
    inner_.begin(queue, data, pinned, bytes);
  }
  void begin_upload(const DeviceQueue& queue, const void* pinned, void* data,
                    int64_t bytes) override {
    inner_.begin_upload(queue, pinned, data, bytes);
  }
  bool fails = false;
  int num_allocated = 0;

 private:
  PinnedCopies& inner_;
};

// Nobody may read the device's memory but its copies.
struct NoReads : PieceMemory {
  bool is_image() const override { return true; }
  void read(const void*, void*, int64_t) override { FAIL() << "a blocking read"; }
  void write(const void*, void*, int64_t, int64_t, int64_t) override { FAIL(); }
};
// A piece that is put together while it is read.
struct Doubled : PieceMemory {
  void read(const void* data, void* host, int64_t bytes) override {
    for (int64_t i = 0; i < bytes / 4; ++i) {
      static_cast<float*>(host)[i] = 2 * static_cast<const float*>(data)[i];
    }
  }
  void write(const void*, void*, int64_t, int64_t, int64_t) override { FAIL(); }
};

class BackgroundSaveTest : public ::testing::Test {
 protected:
  BackgroundSaveTest()
      : folder_(std::filesystem::temp_directory_path() /
                concat("argosy_background_save_", ::getpid(), "_",
                       ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::vector<float> values(7);
    std::iota(values.begin(), values.end(), 1.0f);
    copy_to_device(std::span<const float>(values), on_device_);
    gpu_.synchronize();
    cuda_emulation::set_timing(Timing::others_late);
  }
  ~BackgroundSaveTest() override {
    gpu_.synchronize();
    cuda_emulation::reset_devices();
    std::filesystem::remove_all(folder_);
  }

  std::vector<TensorPiece> pieces() {
    const Box box{{0, 7}, {0, 1}};
    return {
        {"w", "parameter", 7, 1, DType::fp32, box, on_device_.raw(), std::make_shared<NoReads>()},
        {"bias", "parameter", 7, 1, DType::fp32, box, on_host_.data(), nullptr}};
  }
  std::unique_ptr<BackgroundSave> begin(int64_t step) { return begin(step, pieces()); }
  std::unique_ptr<BackgroundSave> begin(int64_t step, const std::vector<TensorPiece>& list) {
    const CheckpointContent content{.step = step, .plan_json = "{}", .state = {}};
    return std::make_unique<BackgroundSave>(*world_, gpu_.backend(), arena_, folder_, content,
                                            list);
  }
  std::vector<float> stored(const std::string& name, int64_t step) {
    std::vector<float> values(7, 0);
    load_checkpoint(*world_, checkpoint_path(folder_, step),
                    {{name, "parameter", 7, 1, DType::fp32, {{0, 7}, {0, 1}}, values.data()}});
    return values;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Communicator> world_ = make_self_communicator();
  std::array<float, 7> on_host_{9, 8, 7, 6, 5, 4, 3};
  DeviceContext gpu_{Device::cuda, cuda_emulation::make_poisoning_backend(0)};
  Tensor on_device_ = gpu_.empty({7}, DType::fp32, MemoryCategory::parameters);
  CountingCopies copies_{*gpu_.backend().pinned_copies()};
  PinnedArena arena_{copies_};
};

TEST_F(BackgroundSaveTest, HoldsWhatWasThereWhenItBegan) {
  const auto save = begin(3);
  on_host_.fill(0);  // the host goes on at once
  gpu_.backend().streams()->compute().wait_for(*save->copied());
  gpu_.backend().clear(on_device_.raw(), on_device_.bytes());  // an update, held by the trainer
  EXPECT_TRUE(list_checkpoints(folder_).empty());
  save->finish();
  EXPECT_EQ(list_checkpoints(folder_), std::vector<int64_t>{3});
  EXPECT_EQ(stored("w", 3), (std::vector<float>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(stored("bias", 3), (std::vector<float>{9, 8, 7, 6, 5, 4, 3}));
  EXPECT_EQ(copy_to_host<float>(on_device_).front(), 0);
}

// That the test above can fail: an update that waits for nothing spoils the checkpoint.
TEST_F(BackgroundSaveTest, AnUpdateThatIsNotHeldSpoilsIt) {
  cuda_emulation::set_timing(Timing::late);
  const auto copies = gpu_.backend().streams()->make_queue();
  float* pinned = static_cast<float*>(copies_.allocate(on_device_.bytes()));
  copies->wait_for(*gpu_.backend().streams()->compute().mark());
  copies_.begin(*copies, on_device_.raw(), pinned, on_device_.bytes());
  gpu_.backend().clear(on_device_.raw(), on_device_.bytes());
  EXPECT_EQ(copy_to_host<float>(on_device_).front(), 0);
  const auto done = copies->mark();
  while (!done->reached()) {
  }
  EXPECT_EQ(pinned[0], 0);
  copies_.release(pinned);
}

// What ops have begun and not done belongs to it.
TEST_F(BackgroundSaveTest, WaitsForTheUpdateBefore) {
  cuda_emulation::set_timing(Timing::compute_late);
  gpu_.backend().clear(on_device_.raw(), on_device_.bytes());
  begin(4)->finish();
  EXPECT_EQ(stored("w", 4), std::vector<float>(7, 0));
}

TEST_F(BackgroundSaveTest, PiecesThatAreNoImagesAreRead) {
  std::vector<TensorPiece> list = pieces();
  list[1].memory = std::make_shared<Doubled>();
  begin(1, list)->finish();
  EXPECT_EQ(stored("bias", 1), (std::vector<float>{18, 16, 14, 12, 10, 8, 6}));
}

TEST_F(BackgroundSaveTest, MemoryIsPinnedOnce) {
  begin(1)->finish();
  begin(2)->finish();
  EXPECT_EQ(copies_.num_allocated, 1);
  EXPECT_EQ(list_checkpoints(folder_), (std::vector<int64_t>{1, 2}));
}

TEST_F(BackgroundSaveTest, WhatGoesWrongIsToldInTheEnd) {
  begin(1)->finish();
  std::vector<TensorPiece> list = pieces();
  list[1].box.rows.end = 8;  // beyond its tensor: found when it is written
  list[1].memory = nullptr;
  std::array<float, 8> eight{};
  list[1].data = eight.data();
  const auto save = begin(2, list);
  EXPECT_THROW(save->finish(), Error);
  EXPECT_EQ(list_checkpoints(folder_), std::vector<int64_t>{1});
}

TEST_F(BackgroundSaveTest, WithoutMemoryNothingIsBegun) {
  copies_.fails = true;
  try {
    begin(1);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("out of host memory"), std::string::npos)
        << error.what();
  }
  EXPECT_TRUE(list_checkpoints(folder_).empty());
}

// An exception on its way: nobody waits for the disk, and there is no checkpoint.
TEST_F(BackgroundSaveTest, GivenUpItLeavesNothing) {
  begin(1).reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

// The writer asks its own GPU: a call on the first one would take memory there in each rank.
TEST(BackgroundSaveOnAnotherGpu, LeavesTheFirstAlone) {
  cuda_emulation::reset_devices();
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / concat("argosy_background_gpu_", ::getpid());
  {
    DeviceContext gpu(Device::cuda, cuda_emulation::make_poisoning_backend(1));
    const Tensor x = gpu.zeros({7}, DType::fp32, MemoryCategory::parameters);
    const std::unique_ptr<Communicator> world = make_self_communicator();
    PinnedArena arena(*gpu.backend().pinned_copies());
    const CheckpointContent content{.step = 1, .plan_json = "{}", .state = {}};
    BackgroundSave save(*world, gpu.backend(), arena, folder, content,
                        {{"w",
                          "parameter",
                          7,
                          1,
                          DType::fp32,
                          {{0, 7}, {0, 1}},
                          x.raw(),
                          std::make_shared<NoReads>()}});
    save.finish();
    EXPECT_EQ(cuda_emulation::entered_devices(), std::set<int>{1});
  }
  std::filesystem::remove_all(folder);
  cuda_emulation::reset_devices();
}

}  // namespace
}  // namespace argosy
