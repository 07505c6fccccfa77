// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A checkpoint that is written while the next steps run. A device copies its pieces into pinned
// memory beside its ops; the next update waits for that on the device, nobody else does. Then a
// thread writes them. On the host there is no such copy: its memory would have to hold all twice.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "trainer/device/device_backend.h"
#include "trainer/device/pinned_copies.h"

namespace argosy {

// Pinned memory for the pieces of a save, kept for the next: to pin gigabytes takes seconds.
class PinnedArena {
 public:
  explicit PinnedArena(PinnedCopies& copies) : copies_(copies) {}
  ~PinnedArena() {
    if (memory_ != nullptr) copies_.release(memory_);
  }
  PinnedArena(const PinnedArena&) = delete;
  PinnedArena& operator=(const PinnedArena&) = delete;

  // The same memory as before where it is enough. Throws Error.
  char* reserve(int64_t bytes);
  PinnedCopies& copies() const { return copies_; }

 private:
  PinnedCopies& copies_;
  void* memory_ = nullptr;
  int64_t bytes_ = 0;
};

class BackgroundSave {
 public:
  // Collective. Begins to copy `pieces` behind the ops that were begun, and a thread that writes
  // them. The arena is this save's until it is finished. Throws Error on all ranks where the memory
  // is not to be had.
  BackgroundSave(Communicator& world, DeviceBackend& backend, PinnedArena& arena,
                 const std::filesystem::path& checkpoints_dir, const CheckpointContent& content,
                 const std::vector<TensorPiece>& pieces);
  ~BackgroundSave();
  BackgroundSave(const BackgroundSave&) = delete;
  BackgroundSave& operator=(const BackgroundSave&) = delete;

  // A point of the device that is reached when the pieces may change again.
  std::unique_ptr<DeviceMark> copied() const { return queue_->mark(); }
  bool is_written() const { return is_written_; }  // by this rank, whatever came of it
  // Collective: waits until all have written; then the checkpoint is there, or all throw Error.
  void finish();

 private:
  void begin_copies(DeviceBackend& backend, PinnedArena& arena);
  void write();

  CheckpointSave save_;
  DeviceStreams& streams_;
  std::vector<TensorPiece> pieces_;  // in memory of the host once the copies are done
  std::unique_ptr<DeviceQueue> queue_;
  std::unique_ptr<DeviceMark> copies_done_;
  std::atomic<bool> is_written_ = false;
  std::atomic<bool> is_abandoned_ = false;
  std::thread writer_;  // declared last: it uses the others
};

}  // namespace argosy
