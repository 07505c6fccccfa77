// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/cuda_rows.cuh"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {
namespace {

// Calls body.template operator()<A, B>() with the types of a and b.
template <typename Body>
void dispatch_pair(const Tensor& a, const Tensor& b, const Body& body) {
  dispatch_cuda(a.dtype(), [&]<typename A>() {
    dispatch_cuda(b.dtype(), [&]<typename B>() { body.template operator()<A, B>(); });
  });
}

template <typename A, typename B>
inline constexpr int kPairPack = kPack<A> > kPack<B> ? kPack<A> : kPack<B>;

template <typename From, typename To>
struct Copy {
  const From* from;
  To* to;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float values[kSize];
    load(from + i, values);
    store(to + i, values);
  }
};

template <typename X, typename Y>
struct Add {
  const X* x;
  Y* y;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float a[kSize], b[kSize];
    load(x + i, a);
    load(y + i, b);
#pragma unroll
    for (int j = 0; j < kSize; ++j) b[j] += a[j];
    store(y + i, b);
  }
};

template <typename T>
struct Scale {
  T* y;
  float factor;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float values[kSize];
    load(y + i, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] *= factor;
    store(y + i, values);
  }
};

// Whole rows of packs: the pack's column is found once.
template <typename T>
struct AddBias {
  const T* bias;
  T* y;
  int64_t cols;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float values[kSize], offsets[kSize];
    load(y + i, values);
    load(bias + i % cols, offsets);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] += offsets[j];
    store(y + i, values);
  }
};

template <typename T>
struct SigmoidGate {
  const T* x;
  const float* gate;
  T* y;
  int64_t cols;
  template <int kSize>
  __device__ void run(int64_t i) const {
    float values[kSize];
    load(x + i, values);
    const float open = sigmoid(gate[i / cols]);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] *= open;
    store(y + i, values);
  }
};

}  // namespace

template <>
void detail::fill_zero<Device::cuda>(const Tensor& x) {
  if (x.size() == 0) return;
  check_cuda(cudaMemsetAsync(x.raw(), 0, static_cast<size_t>(x.bytes()), cuda_of(x).compute()),
             "fill_zero");
}

template <>
void detail::copy<Device::cuda>(const Tensor& from, const Tensor& to) {
  if (from.size() == 0) return;
  const CudaDevice& device = cuda_of(to);
  if (from.dtype() == to.dtype()) {  // int32 included
    check_cuda(cudaMemcpyAsync(to.raw(), from.raw(), static_cast<size_t>(to.bytes()),
                               cudaMemcpyDeviceToDevice, device.compute()),
               "copy");
    return;
  }
  dispatch_pair(from, to, [&]<typename From, typename To>() {
    const Copy<From, To> op{from.data<From>(), to.data<To>()};
    for_elements<kPairPack<From, To>>(device, "copy", to.size(), are_aligned(op.from, op.to), op);
  });
}

template <>
void detail::add<Device::cuda>(const Tensor& x, const Tensor& y) {
  dispatch_pair(x, y, [&]<typename X, typename Y>() {
    const Add<X, Y> op{x.data<X>(), y.data<Y>()};
    for_elements<kPairPack<X, Y>>(cuda_of(y), "add", y.size(), are_aligned(op.x, op.y), op);
  });
}

template <>
void detail::scale<Device::cuda>(double factor, const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    const Scale<T> op{y.data<T>(), static_cast<float>(factor)};
    for_elements<kPack<T>>(cuda_of(y), "scale", y.size(), are_aligned(op.y), op);
  });
}

template <>
void detail::add_bias<Device::cuda>(const Tensor& bias, const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    const AddBias<T> op{bias.data<T>(), y.data<T>(), y.dim(1)};
    const bool aligned = are_aligned(op.bias, op.y) && op.cols % kPack<T> == 0;
    for_elements<kPack<T>>(cuda_of(y), "add_bias", y.size(), aligned, op);
  });
}

template <>
void detail::sigmoid_gate_forward<Device::cuda>(const Tensor& x, const Tensor& gate,
                                                const Tensor& y) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const SigmoidGate<T> op{x.data<T>(), gate.data<float>(), y.data<T>(), x.dim(1)};
    const bool aligned = are_aligned(op.x, op.y) && op.cols % kPack<T> == 0;
    for_elements<kPack<T>>(cuda_of(y), "sigmoid_gate_forward", y.size(), aligned, op);
  });
}

namespace {

// A warp has a row.
template <int kSize, typename T>
__global__ void __launch_bounds__(kRowThreads)
    sigmoid_gate_backward_kernel(const T* __restrict__ dy, const T* __restrict__ x,
                                 const float* __restrict__ gate, int64_t rows, int64_t cols,
                                 T* __restrict__ dx, float* __restrict__ dgate) {
  for (int64_t row = first_row_of_warp(); row < rows; row += row_warps_of_grid()) {
    const int64_t at = row * cols;
    const float open = sigmoid(gate[row]);
    const float dot = scale_and_dot_row<kSize>(dy + at, x + at, open, cols, dx + at);
    if (lane_of_thread() == 0) dgate[row] = dot * open * (1 - open);
  }
}

}  // namespace

template <>
void detail::sigmoid_gate_backward<Device::cuda>(const Tensor& dy, const Tensor& x,
                                                 const Tensor& gate, const Tensor& dx,
                                                 const Tensor& dgate) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>() {
      launch(cuda_of(x), "sigmoid_gate_backward", sigmoid_gate_backward_kernel<kSize, T>,
             {row_blocks(cuda_of(x), x.dim(0)), kRowThreads}, dy.data<T>(), x.data<T>(),
             gate.data<float>(), x.dim(0), x.dim(1), dx.data<T>(), dgate.data<float>());
    };
    const bool aligned = are_aligned(dy.raw(), x.raw(), dx.raw()) && x.dim(1) % kPack<T> == 0;
    if (aligned) {
      run.template operator()<kPack<T>>();
    } else {
      run.template operator()<1>();
    }
  });
}

}  // namespace argosy::ops
