// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/staging.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

namespace argosy {
namespace {

using Bytes = std::vector<unsigned char>;

// Copies as late as an engine may, so that a buffer used too early shows: when their slot is waited
// for, or when the device is looked at.
class LateEngine : public CopyEngine {
 public:
  void* allocate_pinned(int64_t bytes) override {
    buffers.push_back(std::make_unique<Bytes>(static_cast<size_t>(bytes)));
    return buffers.back()->data();
  }
  void release_pinned(void*) noexcept override { ++released; }
  void begin_upload(int slot, const void* pinned, void* data, const CopyRows& rows) override {
    begin(slot, [=] { copy_rows(pinned, data, rows); });
  }
  void begin_download(int slot, const void* data, void* pinned, int64_t bytes) override {
    begin(slot, [=] { std::memcpy(pinned, data, static_cast<size_t>(bytes)); });
  }
  void wait(int slot) override {
    while (pending_of(slot)) run_first();
  }
  void finish() {
    while (!pending.empty()) run_first();
  }

  std::vector<std::unique_ptr<Bytes>> buffers;
  int released = 0, most_pending = 0;

 private:
  struct Copy {
    int slot;
    std::function<void()> run;
  };
  void begin(int slot, std::function<void()> run) {
    EXPECT_FALSE(pending_of(slot)) << "slot " << slot << " is still in use";
    pending.push_back({slot, std::move(run)});
    most_pending = std::max(most_pending, static_cast<int>(pending.size()));
  }
  bool pending_of(int slot) const {
    for (const Copy& copy : pending) {
      if (copy.slot == slot) return true;
    }
    return false;
  }
  void run_first() {
    pending.front().run();
    pending.erase(pending.begin());
  }
  std::vector<Copy> pending;
};

Bytes counting(int64_t bytes) {
  Bytes values(static_cast<size_t>(bytes));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<unsigned char>(i * 7 + i / 251);
  return values;
}

TEST(Staging, BytesArriveInBothDirections) {
  for (const int64_t bytes : {0, 1, 63, 64, 65, 128, 129, 1021}) {
    LateEngine engine;
    Staging staging(engine, 64);
    const Bytes sent = counting(bytes);
    Bytes host = sent, device(sent.size()), back(sent.size());
    staging.upload(host.data(), device.data(), {bytes, 1, bytes});
    std::fill(host.begin(), host.end(), 0);  // it may be written again at once
    staging.download(device.data(), back.data(), bytes);
    EXPECT_EQ(back, sent) << bytes;
  }
}

TEST(Staging, TheHostFillsOneBufferWhileAnotherTravels) {
  LateEngine engine;
  Staging staging(engine, 64);
  Bytes host = counting(640), device(640);
  staging.upload(host.data(), device.data(), {640, 1, 640});
  EXPECT_EQ(engine.most_pending, 2);
  EXPECT_EQ(engine.buffers.size(), 2u);
  engine.finish();
  EXPECT_EQ(device, host);
  engine.most_pending = 0;
  Bytes back(640);
  staging.download(device.data(), back.data(), 640);
  EXPECT_EQ(engine.most_pending, 2);
  EXPECT_EQ(back, host);
}

// Columns of a row-major tensor: narrow rows many at a time, wide ones in pieces.
TEST(Staging, RowsLandAtTheirPitch) {
  for (const int64_t width : {1, 5, 16, 64, 65, 200}) {
    const int64_t count = 11, pitch = width + 3;
    LateEngine engine;
    Staging staging(engine, 64);
    const Bytes host = counting(width * count);
    Bytes device(static_cast<size_t>(pitch * count), 255), expected = device;
    for (int64_t row = 0; row < count; ++row) {
      std::copy_n(host.begin() + row * width, width, expected.begin() + row * pitch);
    }
    staging.upload(host.data(), device.data(), {width, count, pitch});
    engine.finish();
    EXPECT_EQ(device, expected) << width;
  }
}

TEST(Staging, PinnedMemoryIsAskedForWhenItIsNeededAndGivenBack) {
  LateEngine engine;
  {
    Staging staging(engine, 64);
    EXPECT_TRUE(engine.buffers.empty());
    Bytes host(8), device(8);
    staging.upload(host.data(), device.data(), {8, 1, 8});
    EXPECT_EQ(engine.buffers.size(), 1u);
    engine.finish();
  }
  EXPECT_EQ(engine.released, 1);
}

}  // namespace
}  // namespace argosy
