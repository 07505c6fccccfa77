// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/piece_memory.h"

#include "trainer/device/device_context.h"

namespace argosy {

namespace {

class DeviceMemory : public PieceMemory {
 public:
  explicit DeviceMemory(DeviceBackend& backend) : backend_(backend) {}
  bool is_image() const override { return true; }
  void read(const void* data, void* host, int64_t bytes) override {
    backend_.download(data, host, bytes);
  }
  void write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
             int64_t pitch_bytes) override {
    backend_.upload_rows(host, data, {width_bytes, num_rows, pitch_bytes});
  }

 private:
  DeviceBackend& backend_;
};

}  // namespace

std::shared_ptr<PieceMemory> memory_of(const Tensor& tensor) {
  DeviceBackend& backend = backend_of(tensor);
  return backend.is_host_memory() ? nullptr : std::make_shared<DeviceMemory>(backend);
}

}  // namespace argosy
