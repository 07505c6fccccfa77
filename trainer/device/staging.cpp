// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/staging.h"

#include <algorithm>
#include <cstring>

namespace argosy {

void copy_rows(const void* host, void* data, const CopyRows& rows) {
  if (rows.width_bytes == 0 || host == data) return;
  for (int64_t row = 0; row < rows.count; ++row) {
    std::memcpy(static_cast<char*>(data) + row * rows.pitch_bytes,
                static_cast<const char*>(host) + row * rows.width_bytes,
                static_cast<size_t>(rows.width_bytes));
  }
}

Staging::~Staging() {
  for (void* slot : slots_) {
    if (slot != nullptr) engine_.release_pinned(slot);
  }
}

int Staging::take_slot() {
  const int slot = next_slot_;
  next_slot_ = (next_slot_ + 1) % kNumSlots;
  void*& memory = slots_[static_cast<size_t>(slot)];
  if (memory == nullptr) {
    memory = engine_.allocate_pinned(slot_bytes_);
  } else {
    engine_.wait(slot);
  }
  return slot;
}

void Staging::upload_chunk(const char* host, char* data, const CopyRows& rows) {
  const int slot = take_slot();
  void* pinned = slots_[static_cast<size_t>(slot)];
  std::memcpy(pinned, host, static_cast<size_t>(rows.width_bytes * rows.count));
  engine_.begin_upload(slot, pinned, data, rows);
}

void Staging::upload(const void* host, void* data, const CopyRows& rows) {
  const auto* from = static_cast<const char*>(host);
  auto* to = static_cast<char*>(data);
  if (rows.width_bytes == 0) return;
  if (rows.count > 1 && rows.pitch_bytes == rows.width_bytes) {
    const int64_t all_bytes = rows.width_bytes * rows.count;
    return upload(host, data, {all_bytes, 1, all_bytes});
  }
  if (rows.width_bytes > slot_bytes_) {  // a row at a time, in pieces
    for (int64_t row = 0; row < rows.count; ++row) {
      for (int64_t done = 0; done < rows.width_bytes; done += slot_bytes_) {
        const int64_t bytes = std::min(slot_bytes_, rows.width_bytes - done);
        upload_chunk(from + row * rows.width_bytes + done, to + row * rows.pitch_bytes + done,
                     {bytes, 1, bytes});
      }
    }
    return;
  }
  const int64_t rows_at_once = slot_bytes_ / rows.width_bytes;
  for (int64_t row = 0; row < rows.count; row += rows_at_once) {
    upload_chunk(from + row * rows.width_bytes, to + row * rows.pitch_bytes,
                 {rows.width_bytes, std::min(rows_at_once, rows.count - row), rows.pitch_bytes});
  }
}

void Staging::download(const void* data, void* host, int64_t bytes) {
  struct Chunk {
    int slot = -1;
    char* host = nullptr;
    int64_t bytes = 0;
  };
  const auto* from = static_cast<const char*>(data);
  auto* to = static_cast<char*>(host);
  const auto empty_out = [&](const Chunk& chunk) {
    if (chunk.slot < 0) return;
    engine_.wait(chunk.slot);
    std::memcpy(chunk.host, slots_[static_cast<size_t>(chunk.slot)],
                static_cast<size_t>(chunk.bytes));
  };
  Chunk before;  // on its way while the next one is begun
  for (int64_t done = 0; done < bytes; done += slot_bytes_) {
    const Chunk chunk{take_slot(), to + done, std::min(slot_bytes_, bytes - done)};
    engine_.begin_download(chunk.slot, from + done, slots_[static_cast<size_t>(chunk.slot)],
                           chunk.bytes);
    empty_out(before);
    before = chunk;
  }
  empty_out(before);
}

}  // namespace argosy
