// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/device_context.h"

#include <cassert>
#include <exception>

#include "trainer/device/cuda_device.h"

namespace argosy {

// One block in use. It shares the pool, so that a tensor freed late does no harm.
class Storage {
 public:
  Storage(std::shared_ptr<MemoryPool> pool, int64_t bytes, MemoryCategory category)
      : pool_(std::move(pool)),
        bytes_(bytes),
        category_(category),
        list_(pool_->list()),
        block_(pool_->take(bytes, category)) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage() { pool_->give_back(block_, bytes_, category_, list_); }
  void* block() const { return block_; }
  DeviceBackend& backend() const { return pool_->backend(); }
  void recategorize(MemoryCategory category) {
    pool_->recategorize(bytes_, category_, category);
    category_ = category;
  }

 private:
  std::shared_ptr<MemoryPool> pool_;
  int64_t bytes_;  // as requested
  MemoryCategory category_;
  BlockList list_;
  void* block_;
};

DeviceContext::DeviceContext(Device device, int index)
    : DeviceContext(device,
                    device == Device::cuda ? make_cuda_backend(index) : make_cpu_backend()) {}

DeviceContext::DeviceContext(Device device, std::unique_ptr<DeviceBackend> backend)
    : device_(device),
      pool_(std::make_shared<MemoryPool>(std::move(backend))),
      clock_(pool_->backend().streams()) {}

DeviceContext::~DeviceContext() {
  // Tensors are to die first; an exception on its way may still hold some.
  assert(pool_->use().total_current == 0 || std::uncaught_exceptions() > 0);
}

void DeviceContext::begin_activity(const std::string& name) {
  DeviceStreams* streams = backend().streams();
  if (streams == nullptr) return;
  if (in_activity_) streams->pop_range();
  in_activity_ = !name.empty();
  if (in_activity_) streams->push_range(name);
}

Tensor DeviceContext::empty(Shape shape, DType dtype, MemoryCategory category) {
  for (int i = 0; i < shape.rank(); ++i) CHECK(shape[i] >= 0, "shape ", to_string(shape));
  const int64_t bytes = shape.size() * size_in_bytes(dtype);
  auto storage = std::make_shared<Storage>(pool_, bytes, category);
  void* data = storage->block();
  return Tensor(std::move(storage), data, shape, dtype, device_);
}

Tensor DeviceContext::zeros(Shape shape, DType dtype, MemoryCategory category) {
  Tensor tensor = empty(shape, dtype, category);
  pool_->backend().clear(tensor.raw(), tensor.bytes());
  return tensor;
}

void DeviceContext::recategorize(const Tensor& tensor, MemoryCategory category) {
  CHECK(tensor.storage() != nullptr, "a tensor without memory");
  tensor.storage()->recategorize(category);
}

DeviceBackend& backend_of(const Tensor& tensor) {
  CHECK(tensor.storage() != nullptr, "a tensor without memory");
  return tensor.storage()->backend();
}

CudaDevice& cuda_of(const DeviceContext& ctx) {
  CudaDevice* cuda = ctx.backend().cuda();
  CHECK(cuda != nullptr, "the context's device is ", to_string(ctx.device()));
  return *cuda;
}

CudaDevice& cuda_of(const Tensor& tensor) {
  CudaDevice* cuda = backend_of(tensor).cuda();
  CHECK(cuda != nullptr, "the tensor's device is ", to_string(tensor.device()));
  return *cuda;
}

}  // namespace argosy
