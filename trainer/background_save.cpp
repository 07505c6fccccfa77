// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/background_save.h"

#include <chrono>
#include <cstring>

#include "checkpoint/exchange.h"
#include "planner/spec/check.h"
#include "planner/spec/integers.h"

namespace argosy {
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(1);  // copies take a few at least

int64_t bytes_of(const TensorPiece& piece) {
  return piece.box.size() * size_in_bytes(piece.dtype);
}
// Aligned for any dtype and for the copy engine.
int64_t padded_bytes(const TensorPiece& piece) {
  return round_up(bytes_of(piece), kLineBytes);
}

}  // namespace

char* PinnedArena::reserve(int64_t bytes) {
  if (bytes > bytes_) {
    if (memory_ != nullptr) copies_.release(memory_);
    memory_ = nullptr;
    bytes_ = 0;
    memory_ = copies_.allocate(bytes);
    if (memory_ == nullptr) {
      throw Error(concat("out of host memory: a checkpoint that is written beside the steps wants ",
                         bytes,
                         " bytes of pinned memory; what would help: fewer ranks on a node, "
                         "or a plan whose ranks share more of the model"));
    }
    bytes_ = bytes;
  }
  return static_cast<char*>(memory_);
}

BackgroundSave::BackgroundSave(Communicator& world, DeviceBackend& backend, PinnedArena& arena,
                               const std::filesystem::path& checkpoints_dir,
                               const CheckpointContent& content,
                               const std::vector<TensorPiece>& pieces)
    : save_(world, checkpoints_dir, content),
      streams_(*backend.streams()),
      pieces_(pieces),
      queue_(streams_.make_queue()) {
  const Outcome mine = attempt([&] { begin_copies(backend, arena); });
  throw_if_failed(agree(world, mine));
  writer_ = std::thread([this] { write(); });
}

// Of a save that nobody finished: an error is on its way.
BackgroundSave::~BackgroundSave() {
  is_abandoned_ = true;
  if (writer_.joinable()) writer_.join();
}

void BackgroundSave::begin_copies(DeviceBackend& backend, PinnedArena& arena) {
  int64_t all_bytes = 0;
  for (const TensorPiece& piece : pieces_) all_bytes += padded_bytes(piece);
  char* next = arena.reserve(all_bytes);
  queue_->wait_for(*backend.streams()->compute().mark());
  for (TensorPiece& piece : pieces_) {
    const int64_t bytes = bytes_of(piece);
    if (piece.memory && piece.memory->is_image()) {
      arena.copies().begin(*queue_, piece.data, next, bytes);
    } else if (piece.memory) {  // it is put together while it is read
      piece.memory->read(piece.data, next, bytes);
    } else if (bytes > 0) {
      std::memcpy(next, piece.data, static_cast<size_t>(bytes));
    }
    piece.data = next;
    piece.memory = nullptr;
    next += padded_bytes(piece);
  }
  copies_done_ = queue_->mark();
}

void BackgroundSave::write() {
  const Outcome copied = attempt([&] {
    streams_.enter_thread();
    while (!copies_done_->reached()) {
      if (is_abandoned_) throw Error("the save was given up");
      std::this_thread::sleep_for(kBetweenLooks);
    }
  });
  if (copied.ok()) {
    save_.write(pieces_);
  } else {
    save_.fail(copied.message);
  }
  is_written_ = true;
}

void BackgroundSave::finish() {
  writer_.join();
  save_.finish();
}

}  // namespace argosy
