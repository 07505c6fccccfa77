// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/gpu_ranks.h"

#include <utility>

#include "comm/thread/thread_communicator.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"

namespace argosy::cuda_emulation {
namespace {

constexpr int kNan = 0xff;  // all ones, in every floating type

class PoisoningBackend : public DeviceBackend {
 public:
  PoisoningBackend(int index, HostWaits* waits)
      : inner_(make_cuda_backend(index)), waits_(waits != nullptr ? waits : &own_) {}
  bool is_host_memory() const override { return inner_->is_host_memory(); }
  void* allocate(int64_t size_bytes) override { return inner_->allocate(size_bytes); }
  void release(void* block) noexcept override { inner_->release(block); }
  void forget(void* block, int64_t size_bytes) noexcept override {
    (void)cudaMemsetAsync(block, kNan, static_cast<size_t>(size_bytes), inner_->cuda()->compute());
  }
  int64_t free_bytes() const override { return inner_->free_bytes(); }
  int64_t total_bytes() const override { return inner_->total_bytes(); }
  void clear(void* data, int64_t bytes) override { inner_->clear(data, bytes); }
  void upload_rows(const void* host, void* data, const CopyRows& rows) override {
    ++waits_->uploads;
    inner_->upload_rows(host, data, rows);
  }
  void download(const void* data, void* host, int64_t bytes) override {
    ++waits_->downloads;
    inner_->download(data, host, bytes);
  }
  void synchronize() override {
    ++waits_->synchronizations;
    inner_->synchronize();
  }
  CudaDevice* cuda() override { return inner_->cuda(); }
  DeviceStreams* streams() override { return inner_->streams(); }
  PinnedCopies* pinned_copies() override { return inner_->pinned_copies(); }
  DeviceGraphs* graphs() override { return inner_->graphs(); }

 private:
  std::unique_ptr<DeviceBackend> inner_;
  HostWaits own_;
  HostWaits* waits_;
};

}  // namespace

std::unique_ptr<DeviceBackend> make_poisoning_backend(int index, HostWaits* waits) {
  return std::make_unique<PoisoningBackend>(index, waits);
}

void run_on_gpus(int size, const std::function<void(Communicator&, DeviceContext&)>& body,
                 const NcclOptions& options, std::vector<HostWaits>* waits) {
  if (waits != nullptr) waits->assign(static_cast<size_t>(size), {});
  run_on_threads(size, [&](Communicator& hosts) {
    HostWaits* mine = waits != nullptr ? &(*waits)[static_cast<size_t>(hosts.rank())] : nullptr;
    DeviceContext device(Device::cuda, make_poisoning_backend(hosts.rank(), mine));
    const std::unique_ptr<Communicator> world =
        make_nccl_communicator(hosts.split(0, hosts.rank()), *device.backend().streams(), options);
    body(*world, device);
  });
}

}  // namespace argosy::cuda_emulation
