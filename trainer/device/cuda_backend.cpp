// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <array>
#include <cstdio>
#include <cstdlib>

#include "planner/spec/check.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/cuda_graphs.h"
#include "trainer/device/cuda_streams.h"
#include "trainer/device/device_backend.h"
#include "trainer/device/pinned_copies.h"

namespace argosy {
namespace {

class Libraries : public CudaLibraries {
 public:
  explicit Libraries(cudaStream_t compute) : compute_(compute) {}
  ~Libraries() override {
    if (cublaslt_ != nullptr) (void)cublasLtDestroy(cublaslt_);
    if (cudnn_ != nullptr) (void)cudnnDestroy(cudnn_);
  }
  cublasLtContext* cublaslt() override {
    if (cublaslt_ == nullptr) check_cublas(cublasLtCreate(&cublaslt_), "cublasLtCreate");
    return cublaslt_;
  }
  cudnnContext* cudnn() override {
    if (cudnn_ == nullptr) {
      check_cudnn(cudnnCreate(&cudnn_), "cudnnCreate");
      check_cudnn(cudnnSetStream(cudnn_, compute_), "cudnnSetStream");
    }
    return cudnn_;
  }

 private:
  cudaStream_t compute_;
  cublasLtHandle_t cublaslt_ = nullptr;
  cudnnHandle_t cudnn_ = nullptr;
};

// What an allocation came to: nullptr where there is not as much memory left.
void* allocated(void* block, cudaError_t code, const char* call) {
  if (code == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // or the next check would report it
    return nullptr;
  }
  check_cuda(code, call);
  return block;
}

void* allocate_pinned(int64_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocDefault),
             "cudaHostAlloc");
  return memory;
}

// Copies in the order of the ops, on their stream.
class Copies : public CopyEngine {
 public:
  explicit Copies(CudaStreamSet& streams) : streams_(streams) {}
  void* allocate_pinned(int64_t bytes) override { return argosy::allocate_pinned(bytes); }
  void release_pinned(void* memory) noexcept override { (void)cudaFreeHost(memory); }
  void begin_upload(int slot, const void* pinned, void* data, const CopyRows& rows) override {
    const auto width = static_cast<size_t>(rows.width_bytes);
    check_cuda(cudaMemcpy2DAsync(data, static_cast<size_t>(rows.pitch_bytes), pinned, width, width,
                                 static_cast<size_t>(rows.count), cudaMemcpyHostToDevice,
                                 streams_.compute_stream()),
               "cudaMemcpy2DAsync");
    done_[static_cast<size_t>(slot)] = streams_.compute().mark();
  }
  void begin_download(int slot, const void* data, void* pinned, int64_t bytes) override {
    check_cuda(cudaMemcpyAsync(pinned, data, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost,
                               streams_.compute_stream()),
               "cudaMemcpyAsync");
    done_[static_cast<size_t>(slot)] = streams_.compute().mark();
  }
  void wait(int slot) override { streams_.wait(*done_[static_cast<size_t>(slot)]); }

 private:
  CudaStreamSet& streams_;
  std::array<std::unique_ptr<DeviceMark>, Staging::kNumSlots> done_;
};

class CopiesBeside : public PinnedCopies {
 public:
  void* allocate(int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t code =
        cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocDefault);
    return allocated(memory, code, "cudaHostAlloc");
  }
  void release(void* pinned) noexcept override { (void)cudaFreeHost(pinned); }
  void begin(const DeviceQueue& queue, const void* data, void* pinned, int64_t bytes) override {
    check_cuda(cudaMemcpyAsync(pinned, data, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost,
                               static_cast<cudaStream_t>(queue.stream())),
               "cudaMemcpyAsync");
  }
  void begin_upload(const DeviceQueue& queue, const void* pinned, void* data,
                    int64_t bytes) override {
    check_cuda(cudaMemcpyAsync(data, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                               static_cast<cudaStream_t>(queue.stream())),
               "cudaMemcpyAsync");
  }
};

std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex.data();
  }
  return text;
}

// Makes `index` the device of this thread.
CudaFacts open_device(int index) {
  const int count = count_cuda_devices();
  if (index < 0 || index >= count) {
    throw Error(concat("no CUDA device ", index, " found: this process sees ", count,
                       "; start at most that many ranks on a node, with all GPUs visible to each"));
  }
  check_cuda(cudaSetDevice(index), "cudaSetDevice");
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  return {.index = index,
          .name = properties.name,
          .uuid = uuid_text(properties.uuid),
          .compute_capability = 10 * properties.major + properties.minor,
          .num_multiprocessors = properties.multiProcessorCount,
          .l2_cache_bytes = properties.l2CacheSize,
          .shared_bytes_per_block = static_cast<int64_t>(properties.sharedMemPerBlockOptin)};
}

class CudaBackend : public DeviceBackend {
 public:
  explicit CudaBackend(int index)
      : facts_(open_device(index)),
        streams_(facts_.index, facts_.uuid),
        device_(facts_, streams_.compute_stream(),
                std::make_unique<Libraries>(streams_.compute_stream())),
        copies_(streams_),
        staging_(copies_),
        graphs_(streams_) {}
  ~CudaBackend() override { (void)cudaDeviceSynchronize(); }

  bool is_host_memory() const override { return false; }
  void* allocate(int64_t size_bytes) override {
    if (streams_.is_capturing()) {
      throw Error(concat("a step that is captured wants a block of ", size_bytes,
                         " bytes that the steps before it did not"));
    }
    void* block = nullptr;
    const cudaError_t code = cudaMalloc(&block, static_cast<size_t>(size_bytes));
    return allocated(block, code, "cudaMalloc");
  }
  void release(void* block) noexcept override { (void)cudaFree(block); }
  int64_t free_bytes() const override { return memory_info().free_bytes; }
  int64_t total_bytes() const override { return memory_info().total_bytes; }

  void clear(void* data, int64_t bytes) override {
    check_cuda(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), streams_.compute_stream()),
               "cudaMemsetAsync");
  }
  void upload_rows(const void* host, void* data, const CopyRows& rows) override {
    CHECK(!streams_.is_capturing(), "an upload would be captured with its pinned buffer");
    staging_.upload(host, data, rows);
  }
  void download(const void* data, void* host, int64_t bytes) override {
    CHECK(!streams_.is_capturing(), "a step that is captured looks at the device's memory");
    staging_.download(data, host, bytes);
  }
  void synchronize() override { streams_.synchronize(); }
  CudaDevice* cuda() override { return &device_; }
  DeviceStreams* streams() override { return &streams_; }
  PinnedCopies* pinned_copies() override { return &copies_beside_; }
  DeviceGraphs* graphs() override { return &graphs_; }

 private:
  struct MemoryInfo {
    int64_t free_bytes = 0, total_bytes = 0;
  };
  static MemoryInfo memory_info() {
    size_t free = 0, total = 0;
    check_cuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
  }
  CudaFacts facts_;
  CudaStreamSet streams_;
  CudaDevice device_;  // what ops keep in it ends before the streams
  Copies copies_;
  CopiesBeside copies_beside_;
  Staging staging_;
  CudaGraphs graphs_;
};

}  // namespace

void prepare_cuda_environment() {
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);  // as many as there can be
}

int count_cuda_devices() {
  int count = 0;
  const cudaError_t found = cudaGetDeviceCount(&count);
  if (found != cudaSuccess || count == 0) {
    throw Error(concat("no CUDA device found: ",
                       found != cudaSuccess ? cudaGetErrorString(found) : "there is none"));
  }
  return count;
}

std::string pci_address_of_cuda_device(int index) {
  std::array<char, 32> address{};
  check_cuda(cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), index),
             "cudaDeviceGetPCIBusId");
  return address.data();
}

std::unique_ptr<DeviceBackend> make_cuda_backend(int index) {
  return std::make_unique<CudaBackend>(index);
}

}  // namespace argosy
