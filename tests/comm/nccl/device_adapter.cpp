// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/comm/nccl/device_adapter.h"

#include <utility>

namespace argosy {
namespace {

// A copy of the host's buffer on the device.
struct Image {
  Tensor tensor;
  void* host = nullptr;  // where it is copied back to; null: it is only read
};

bool lies_within(ConstBuffer part, ConstBuffer whole) {
  const auto* begin = static_cast<const char*>(whole.data);
  const auto* data = static_cast<const char*>(part.data);
  return part.count > 0 && data >= begin && data + part.bytes() <= begin + whole.bytes();
}

class AdapterState : public Request::State {
 public:
  AdapterState(Request inner, std::vector<Image> images)
      : inner_(std::move(inner)), images_(std::move(images)) {}
  void wait() override {
    inner_.wait();
    for (const Image& image : images_) {
      if (image.host == nullptr) continue;
      backend_of(image.tensor).download(image.tensor.raw(), image.host, image.tensor.bytes());
    }
  }
  bool test() override { return inner_.test(); }

 private:
  Request inner_;
  std::vector<Image> images_;
};

class DeviceAdapter : public Communicator {
 public:
  DeviceAdapter(std::unique_ptr<Communicator> inner, DeviceContext& device)
      : inner_(std::move(inner)), device_(device) {}
  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  bool sums_in_rank_order() const override { return inner_->sums_in_rank_order(); }
  void barrier() override { inner_->barrier(); }
  void abort(int exit_code) override { inner_->abort(exit_code); }
  std::unique_ptr<Communicator> split(int color, int key) override {
    return make_device_adapter(inner_->split(color, key), device_);
  }

  Request start_all_reduce(Buffer inout, ReduceOp op) override {
    std::vector<Image> images;
    const Buffer on_device = upload(inout, inout.data, &images);
    return finish(inner_->start_all_reduce(on_device, op), std::move(images));
  }
  Request start_reduce_scatter(ConstBuffer input, Buffer output,
                               std::span<const int64_t> counts) override {
    std::vector<Image> images;
    const bool in_place = lies_within(output, input);
    const Buffer whole = upload(input, in_place ? const_cast<void*>(input.data) : nullptr, &images);
    const Buffer part =
        in_place ? part_of(whole, input, output) : upload(output, output.data, &images);
    return finish(inner_->start_reduce_scatter(whole, part, counts), std::move(images));
  }
  Request start_all_gather(ConstBuffer input, Buffer output,
                           std::span<const int64_t> counts) override {
    std::vector<Image> images;
    const bool in_place = lies_within(input, output);
    const Buffer whole = upload(output, output.data, &images);
    const Buffer part = in_place ? part_of(whole, output, input) : upload(input, nullptr, &images);
    return finish(inner_->start_all_gather(part, whole, counts), std::move(images));
  }
  Request start_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                           std::span<const int64_t> recv_counts) override {
    std::vector<Image> images;
    const Buffer from = upload(input, nullptr, &images), to = upload(output, output.data, &images);
    return finish(inner_->start_all_to_all(from, send_counts, to, recv_counts), std::move(images));
  }
  Request start_broadcast(Buffer inout, int root) override {
    std::vector<Image> images;
    const Buffer on_device = upload(inout, inout.data, &images);
    return finish(inner_->start_broadcast(on_device, root), std::move(images));
  }
  Request start_send(ConstBuffer input, int peer, int tag) override {
    std::vector<Image> images;
    const Buffer on_device = upload(input, nullptr, &images);
    return finish(inner_->start_send(on_device, peer, tag), std::move(images));
  }
  Request start_recv(Buffer output, int peer, int tag) override {
    std::vector<Image> images;
    const Buffer on_device = upload(output, output.data, &images);
    return finish(inner_->start_recv(on_device, peer, tag), std::move(images));
  }

 private:
  Buffer upload(ConstBuffer buffer, void* host, std::vector<Image>* images) {
    CHECK(buffer.device == Device::cpu, "the adapter takes memory of the host");
    if (buffer.data == nullptr && buffer.count > 0)
      return {nullptr, buffer.count, buffer.dtype, Device::cuda};
    const Tensor tensor = device_.empty({buffer.count}, buffer.dtype, MemoryCategory::buffers);
    device_.backend().upload(buffer.data, tensor.raw(), tensor.bytes());
    images->push_back({tensor, host});
    return {tensor.raw(), buffer.count, buffer.dtype, Device::cuda};
  }
  static Buffer part_of(Buffer whole, ConstBuffer host_whole, ConstBuffer host_part) {
    const auto offset_bytes =
        static_cast<const char*>(host_part.data) - static_cast<const char*>(host_whole.data);
    return {static_cast<char*>(whole.data) + offset_bytes, host_part.count, whole.dtype,
            Device::cuda};
  }
  static Request finish(Request inner, std::vector<Image> images) {
    return Request(std::make_unique<AdapterState>(std::move(inner), std::move(images)));
  }

  std::unique_ptr<Communicator> inner_;
  DeviceContext& device_;
};

}  // namespace

std::unique_ptr<Communicator> make_device_adapter(std::unique_ptr<Communicator> inner,
                                                  DeviceContext& device) {
  return std::make_unique<DeviceAdapter>(std::move(inner), device);
}

}  // namespace argosy
