// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/backend.h"

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <cstring>

#include "planner/spec/check.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"

namespace argosy {

namespace cuda_emulation {
namespace {

class NoLibraries : public CudaLibraries {
 public:
  cublasLtContext* cublaslt() override { return nullptr; }  // the emulation keeps nothing
  cudnnContext* cudnn() override { throw Error("cuDNN is not emulated"); }
};

CudaFacts facts() {
  CudaFacts facts;
  facts.name = "emulated";
  facts.compute_capability = 90;
  facts.num_multiprocessors = 1;  // few threads at a time: loops over the grid's stride are walked
  facts.shared_bytes_per_block = 227 * 1024;
  return facts;
}

class Backend : public DeviceBackend {
 public:
  bool is_host_memory() const override { return false; }  // whoever asks treats it as a GPU's
  void* allocate(int64_t size_bytes) override {
    void* block = nullptr;
    const cudaError_t code = cudaMalloc(&block, static_cast<size_t>(size_bytes));
    return code == cudaSuccess ? block : nullptr;
  }
  void release(void* block) noexcept override { (void)cudaFree(block); }
  int64_t free_bytes() const override { return int64_t{1} << 40; }
  int64_t total_bytes() const override { return int64_t{1} << 40; }
  void clear(void* data, int64_t bytes) override {
    if (bytes > 0) std::memset(data, 0, static_cast<size_t>(bytes));
  }
  void upload_rows(const void* host, void* data, const CopyRows& rows) override {
    copy_rows(host, data, rows);
  }
  void download(const void* data, void* host, int64_t bytes) override {
    copy_rows(data, host, {bytes, 1, bytes});
  }
  void synchronize() override {}
  CudaDevice* cuda() override { return &device_; }

 private:
  CudaDevice device_{facts(), {}, std::make_unique<NoLibraries>()};
};

}  // namespace

std::unique_ptr<DeviceBackend> make_backend() {
  return std::make_unique<Backend>();
}

}  // namespace cuda_emulation
}  // namespace argosy
