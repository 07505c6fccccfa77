// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Copies between pageable host memory and a device, through a ring of pinned buffers: the device
// copies to or from one of them while the host fills or empties another.
#pragma once

#include <array>
#include <cstdint>

namespace argosy {

// Rows of `width_bytes` each, `pitch_bytes` from one to the next on the device; one after the other
// on the host.
struct CopyRows {
  int64_t width_bytes = 0, count = 1, pitch_bytes = 0;
};
// The copy itself, where the host can write to `data`.
void copy_rows(const void* host, void* data, const CopyRows& rows);

// What moves bytes between pinned and device memory, and knows when that is done.
class CopyEngine {
 public:
  virtual ~CopyEngine() = default;
  virtual void* allocate_pinned(int64_t bytes) = 0;  // throws Error
  virtual void release_pinned(void* memory) noexcept = 0;
  // Begins a copy on behalf of a slot, after everything that was begun before.
  virtual void begin_upload(int slot, const void* pinned, void* data, const CopyRows& rows) = 0;
  virtual void begin_download(int slot, const void* data, void* pinned, int64_t bytes) = 0;
  virtual void wait(int slot) = 0;  // until the slot's latest copy is done
};

class Staging {
 public:
  static constexpr int kNumSlots = 2;
  // 8 MiB take 150 us over PCIe 5 (about 55 GB/s): long against the cost of beginning a copy.
  static constexpr int64_t kSlotBytes = int64_t{8} << 20;

  explicit Staging(CopyEngine& engine, int64_t slot_bytes = kSlotBytes)
      : engine_(engine), slot_bytes_(slot_bytes) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Returns when `host` may be written again; the copy itself may still be on its way.
  void upload(const void* host, void* data, const CopyRows& rows);
  // Returns when `host` holds the bytes.
  void download(const void* data, void* host, int64_t bytes);

 private:
  // The next slot of the ring, idle. Its memory is allocated when it is first used.
  int take_slot();
  void upload_chunk(const char* host, char* data, const CopyRows& rows);

  CopyEngine& engine_;
  int64_t slot_bytes_;
  int next_slot_ = 0;
  std::array<void*, kNumSlots> slots_{};
};

}  // namespace argosy
