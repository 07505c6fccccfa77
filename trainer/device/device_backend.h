// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a device must bring: memory, copies between it and the host, and the end of what was begun.
// All of a backend belongs to one rank and is called by that rank's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "trainer/device/staging.h"

namespace argosy {

class CudaDevice;
class DeviceGraphs;
class DeviceStreams;
class PinnedCopies;

// A cache line, which is an AVX-512 register; and huge pages of x86-64, which cudaMalloc maps at a
// time too.
inline constexpr int64_t kLineBytes = 64, kHugePageBytes = int64_t{2} << 20;

class DeviceBackend {
 public:
  DeviceBackend() = default;
  virtual ~DeviceBackend() = default;
  DeviceBackend(const DeviceBackend&) = delete;
  DeviceBackend& operator=(const DeviceBackend&) = delete;

  // Whether the host may read and write this memory as its own.
  virtual bool is_host_memory() const = 0;
  // Whether this is the host's memory beside a device's (host_backend.h). For errors.
  virtual bool is_beside_device() const { return false; }

  // A block of memory, aligned to a cache line at least; nullptr: there is not as much left.
  virtual void* allocate(int64_t size_bytes) = 0;
  // What sizes of blocks about as large as this are multiples of.
  virtual int64_t size_step_bytes(int64_t size_bytes) const {
    return size_bytes >= kHugePageBytes ? kHugePageBytes : kLineBytes;
  }
  virtual void release(void* block) noexcept = 0;
  // The pool keeps a block of this size that nobody uses now: what it holds is of no use any more,
  // in the order of the ops. Tests spoil it.
  virtual void forget(void*, int64_t) noexcept {}
  virtual int64_t free_bytes() const = 0;  // of the device, whoever uses the rest
  virtual int64_t total_bytes() const = 0;

  // In the order of the ops. upload() returns when `host` may be written again, download() when it
  // may be read.
  virtual void clear(void* data, int64_t bytes) = 0;
  virtual void upload_rows(const void* host, void* data, const CopyRows& rows) = 0;
  void upload(const void* host, void* data, int64_t bytes) {
    upload_rows(host, data, {bytes, 1, bytes});
  }
  virtual void download(const void* data, void* host, int64_t bytes) = 0;
  virtual void synchronize() = 0;  // returns when all ops that were begun are done

  virtual CudaDevice* cuda() { return nullptr; }             // what CUDA's ops ask for
  virtual DeviceStreams* streams() { return nullptr; }       // what communicators ask for
  virtual PinnedCopies* pinned_copies() { return nullptr; }  // copies beside the ops
  virtual DeviceGraphs* graphs() { return nullptr; }         // steps that are captured
};

std::unique_ptr<DeviceBackend> make_cpu_backend();
// Before the first call of CUDA: what its driver reads from the environment (README.md, "One work
// queue a stream"). Whoever has set a variable keeps his choice.
void prepare_cuda_environment();
// Devices that this process sees. Throws Error where there are none, as make_cuda_backend does.
int count_cuda_devices();
// "0000:18:00.0" of the device `index`.
std::string pci_address_of_cuda_device(int index);
// The CUDA device `index` of those that this process sees. Throws Error: "this build has no cuda
// device: ..." (no_cuda.cpp), "no CUDA device found: ...", or CUDA's own words.
std::unique_ptr<DeviceBackend> make_cuda_backend(int index);

}  // namespace argosy
