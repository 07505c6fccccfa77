// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a CUDA op finds on its device: the stream, library handles, and a place for what it keeps
// from call to call. Needs no header of the CUDA toolkit: its handles are pointers to structs
// without a definition.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <typeindex>

struct CUstream_st;      // cudaStream_t points to it
struct cublasLtContext;  // cublasLtHandle_t
struct cudnnContext;     // cudnnHandle_t

namespace argosy {

class DeviceContext;
class Tensor;

using CudaStream = CUstream_st*;

struct CudaFacts {
  int index = 0;  // among the devices that this process sees
  std::string name, uuid;
  int compute_capability = 0;  // 90: Hopper
  int num_multiprocessors = 0;
  int64_t l2_cache_bytes = 0, shared_bytes_per_block = 0;  // the latter after opting in
};

// Handles of libraries, made when they are first asked for.
class CudaLibraries {
 public:
  virtual ~CudaLibraries() = default;
  virtual cublasLtContext* cublaslt() = 0;
  virtual cudnnContext* cudnn() = 0;  // its stream is compute
};

class CudaDevice {
 public:
  CudaDevice(CudaFacts facts, CudaStream compute, std::unique_ptr<CudaLibraries> libraries)
      : facts_(std::move(facts)), compute_(compute), libraries_(std::move(libraries)) {}

  const CudaFacts& facts() const { return facts_; }
  // All ops run here. What runs on another stream waits for it when it begins, and this one waits
  // for that before its memory may be freed: so a freed block may be used again at once.
  CudaStream compute() const { return compute_; }
  cublasLtContext* cublaslt() { return libraries_->cublaslt(); }
  cudnnContext* cudnn() { return libraries_->cudnn(); }

  // The T of this device, made by its default constructor when it is first asked for: algorithms
  // by shape, compiled graphs. It lives as long as the device; its destructor may use the handles.
  template <typename T>
  T& state() {
    std::shared_ptr<void>& kept = states_[std::type_index(typeid(T))];
    if (!kept) kept = std::make_shared<T>();
    return *static_cast<T*>(kept.get());
  }

 private:
  CudaFacts facts_;
  CudaStream compute_;
  std::unique_ptr<CudaLibraries> libraries_;
  std::map<std::type_index, std::shared_ptr<void>> states_;  // ends first
};

// The CUDA device of a context, or of the context that a tensor's memory is from. CHECKs that there
// is one.
CudaDevice& cuda_of(const DeviceContext& ctx);
CudaDevice& cuda_of(const Tensor& tensor);

}  // namespace argosy
