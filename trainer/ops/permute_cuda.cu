// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/host_copy.h"
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/cuda_rows.cuh"
#include "trainer/ops/cuda_sort.h"
#include "trainer/ops/permute.h"

namespace argosy::ops {
namespace {

struct InverseOf {
  const int32_t* index;
  int32_t* inverse;
  template <int kSize>
  __device__ void run(int64_t i) const {
    inverse[index[i]] = static_cast<int32_t>(i);
  }
};

void invert_into(const Tensor& index, const Tensor& inverse) {
  for_elements<1>(cuda_of(inverse), "invert", index.size(), false,
                  InverseOf{index.data<int32_t>(), inverse.data<int32_t>()});
}

// A warp has a sequence and takes its choices in order, 32 at a time: which of equal ones come
// before follows from __match_any_sync.
__global__ void drop_beyond_capacity_kernel(const int32_t* row_of_token, const int32_t* experts,
                                            int64_t num_experts, int64_t seq_len, int64_t k,
                                            int64_t capacity, int64_t first, int64_t num_local,
                                            int32_t* routed) {
  int32_t* taken = shared_memory<int32_t>();  // (num_experts)
  for (int64_t e = lane_of_thread(); e < num_experts; e += kWarp) taken[e] = 0;
  __syncwarp();
  const int64_t first_token = blockIdx.x * seq_len;
  for (int64_t begin = 0; begin < seq_len * k; begin += kWarp) {
    const int64_t choice = begin + lane_of_thread();
    const bool exists = choice < seq_len * k;
    int32_t expert = -1;
    int64_t row = 0;
    if (exists) {
      row = row_of_token[first_token + choice / k];
      expert = experts[row * k + choice % k];
      require(expert >= 0 && expert < num_experts);
    }
    const unsigned equal = __match_any_sync(kAllLanes, expert);
    const int rank = __popc(equal & ((1u << lane_of_thread()) - 1));
    if (exists && row >= first && row < first + num_local) {
      const bool fits = taken[expert] + rank < capacity;
      routed[(row - first) * k + choice % k] = fits ? expert : -1;
    }
    __syncwarp();
    if (exists && rank == 0) taken[expert] += __popc(equal);
    __syncwarp();
  }
}

// counts (num_experts), set to 0 before. Ints: their sums depend on no order.
constexpr int kCountThreads = 256;
__global__ void count_experts_kernel(const int32_t* experts, int64_t size, int64_t num_experts,
                                     int32_t* counts) {
  int32_t* own = shared_memory<int32_t>();  // (num_experts)
  for (int64_t e = threadIdx.x; e < num_experts; e += kCountThreads) own[e] = 0;
  __syncthreads();
  for (int64_t i = thread_of_grid(); i < size; i += threads_of_grid()) {
    require(experts[i] >= -1 && experts[i] < num_experts);
    if (experts[i] >= 0) atomicAdd(own + experts[i], 1);
  }
  __syncthreads();
  for (int64_t e = threadIdx.x; e < num_experts; e += kCountThreads)
    if (own[e] > 0) atomicAdd(counts + e, own[e]);
}

// A choice of a token goes to its slot, unless it was not kept.
struct ToSlots {
  const int32_t* position;
  int64_t k, num_kept;
  __device__ RowMove operator()(int64_t slot) const {
    const int64_t to = position[slot];
    return {slot / k, to < num_kept ? to : -1};
  }
};

// to[t] = (kAdd ? to[t] : 0) + the sum over kept choices j, in order, of weight[t,j] * rows[...].
// A warp has a token; a lane reads the rows of several choices before it adds the first.
template <bool kAdd, int kSize, typename T>
__global__ void __launch_bounds__(kRowThreads)
    sum_choices_kernel(const T* __restrict__ rows, const int32_t* __restrict__ position,
                       const float* __restrict__ weights, int64_t num_tokens, int64_t k,
                       int64_t num_kept, int64_t cols, T* __restrict__ to) {
  for (int64_t token = first_row_of_warp(); token < num_tokens; token += row_warps_of_grid()) {
    for (int64_t c = lane_of_thread() * kSize; c < cols; c += kWarp * kSize) {
      float sum[kSize] = {};
      for (int64_t begin = token * k; begin < (token + 1) * k; begin += kRowLoads) {
        Raw<T, kSize> raw[kRowLoads] = {};
        bool is_kept[kRowLoads];
#pragma unroll
        for (int j = 0; j < kRowLoads; ++j) {
          const int64_t row = begin + j < (token + 1) * k ? position[begin + j] : num_kept;
          is_kept[j] = row < num_kept;
          if (is_kept[j]) raw[j] = load_raw<kSize>(rows + row * cols + c);
        }
#pragma unroll
        for (int j = 0; j < kRowLoads; ++j) {
          if (!is_kept[j]) continue;
          const float weight = weights == nullptr ? 1.0f : weights[begin + j];
          float values[kSize];
          unpack(raw[j], values);
#pragma unroll
          for (int i = 0; i < kSize; ++i) sum[i] += weight * values[i];
        }
      }
      if constexpr (kAdd) {
        float old[kSize];
        load(to + token * cols + c, old);
#pragma unroll
        for (int i = 0; i < kSize; ++i) sum[i] += old[i];
      }
      store(to + token * cols + c, sum);
    }
  }
}

template <bool kAdd>
void sum_choices(const char* name, const Tensor& rows, const Tensor& position, const float* weights,
                 int64_t k, const Tensor& to) {
  const CudaDevice& device = cuda_of(to);
  dispatch_cuda(to.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>() {
      launch(device, name, sum_choices_kernel<kAdd, kSize, T>,
             {row_blocks(device, to.dim(0)), kRowThreads}, rows.data<T>(), position.data<int32_t>(),
             weights, to.dim(0), k, rows.dim(0), to.dim(1), to.data<T>());
    };
    if (are_aligned(rows.raw(), to.raw()) && to.dim(1) % kPack<T> == 0) {
      run.template operator()<kPack<T>>();
    } else {
      run.template operator()<1>();
    }
  });
}

// A warp has a slot of a token.
template <int kSize, typename T>
__global__ void __launch_bounds__(kRowThreads)
    combine_backward_kernel(const T* __restrict__ dy, const T* __restrict__ rows,
                            const int32_t* __restrict__ position, const float* __restrict__ weights,
                            int64_t num_slots, int64_t k, int64_t num_kept, int64_t cols,
                            T* __restrict__ drows, float* __restrict__ dweights) {
  for (int64_t slot = first_row_of_warp(); slot < num_slots; slot += row_warps_of_grid()) {
    const int64_t row = position[slot];
    float dot = 0;
    if (row < num_kept) {
      dot = scale_and_dot_row<kSize>(dy + slot / k * cols, rows + row * cols, weights[slot], cols,
                                     drows + row * cols);
    }
    if (lane_of_thread() == 0) dweights[slot] = dot;
  }
}

// index (n) on the device, a workspace.
Tensor uploaded(DeviceContext& ctx, const std::vector<int32_t>& index) {
  const Tensor copy =
      ctx.empty({static_cast<int64_t>(index.size())}, DType::int32, MemoryCategory::workspace);
  copy_to_device(std::span<const int32_t>(index), copy);
  return copy;
}

struct Gather {
  const int32_t* index;
  __device__ RowMove operator()(int64_t i) const { return {index[i], i}; }
};
struct Scatter {
  const int32_t* index;
  __device__ RowMove operator()(int64_t i) const { return {i, index[i]}; }
};
struct Swap {
  int64_t outer, inner;
  __device__ RowMove operator()(int64_t row) const {
    return {row, row % inner * outer + row / inner};
  }
};

int64_t row_bytes(const Tensor& x) {
  return x.dim(x.shape().rank() - 1) * size_in_bytes(x.dtype());
}

}  // namespace

template <>
void detail::drop_beyond_capacity<Device::cuda>(DeviceContext& ctx, const Tensor& tokens,
                                                const Tensor& experts, int64_t num_experts,
                                                int64_t seq_len, int64_t capacity, int64_t first,
                                                const Tensor& routed) {
  const Tensor row_of_token = ctx.empty(tokens.shape(), DType::int32, MemoryCategory::workspace);
  invert_into(tokens, row_of_token);
  CHECK(tokens.size() % seq_len == 0, tokens.size(), " tokens in sequences of ", seq_len);
  launch(cuda_of(ctx), "drop_beyond_capacity", drop_beyond_capacity_kernel,
         {blocks_of(tokens.size() / seq_len), kWarp,
          num_experts * static_cast<int64_t>(sizeof(int32_t))},
         row_of_token.data<int32_t>(), experts.data<int32_t>(), num_experts, seq_len,
         experts.dim(1), capacity, first, routed.dim(0), routed.data<int32_t>());
}

template <>
std::vector<int64_t> detail::sort_by_expert<Device::cuda>(DeviceContext& ctx, const Tensor& experts,
                                                          int64_t num_experts,
                                                          const Tensor& order) {
  const CudaDevice& device = cuda_of(ctx);
  const Tensor counts = ctx.zeros({num_experts}, DType::int32, MemoryCategory::workspace);
  launch(device, "count_experts", count_experts_kernel,
         {striding_blocks(device, ceil_div(experts.size(), kCountThreads), kCountThreads),
          kCountThreads, num_experts * static_cast<int64_t>(sizeof(int32_t))},
         experts.data<int32_t>(), experts.size(), num_experts, counts.data<int32_t>());
  sort_by_key(ctx, {experts.data<int32_t>(), 0, num_experts}, order);
  const std::vector<int32_t> on_host = copy_to_host<int32_t>(counts);
  return {on_host.begin(), on_host.end()};
}

template <>
void detail::invert<Device::cuda>(const Tensor& order, const Tensor& position) {
  invert_into(order, position);
}

template <>
void detail::dispatch_rows<Device::cuda>(const Tensor& x, const Tensor& position, int64_t k,
                                         const Tensor& y) {
  move_rows("dispatch_rows", x, y, position.size(), row_bytes(x),
            ToSlots{position.data<int32_t>(), k, y.dim(0)});
}

template <>
void detail::dispatch_rows_backward<Device::cuda>(const Tensor& drows, const Tensor& position,
                                                  int64_t k, const Tensor& dx) {
  sum_choices<true>("dispatch_rows_backward", drows, position, nullptr, k, dx);
}

template <>
void detail::combine_rows<Device::cuda>(const Tensor& rows, const Tensor& position,
                                        const Tensor& weights, const Tensor& y) {
  sum_choices<false>("combine_rows", rows, position, weights.data<float>(), weights.dim(1), y);
}

template <>
void detail::combine_rows_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy,
                                                 const Tensor& rows, const Tensor& order,
                                                 const Tensor& weights, const Tensor& drows,
                                                 const Tensor& dweights) {
  const CudaDevice& device = cuda_of(dy);
  const Tensor position = ctx.empty(order.shape(), DType::int32, MemoryCategory::workspace);
  invert_into(order, position);
  const int64_t cols = dy.dim(1), slots = position.size();
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>() {
      launch(device, "combine_rows_backward", combine_backward_kernel<kSize, T>,
             {row_blocks(device, slots), kRowThreads}, dy.data<T>(), rows.data<T>(),
             position.data<int32_t>(), weights.data<float>(), slots, weights.dim(1), rows.dim(0),
             cols, drows.data<T>(), dweights.data<float>());
    };
    if (are_aligned(dy.raw(), rows.raw(), drows.raw()) && cols % kPack<T> == 0) {
      run.template operator()<kPack<T>>();
    } else {
      run.template operator()<1>();
    }
  });
}

template <>
void detail::permute_rows<Device::cuda>(DeviceContext& ctx, const Tensor& x,
                                        const std::vector<int32_t>& index, const Tensor& y) {
  const Tensor on_device = uploaded(ctx, index);
  move_rows("permute_rows", x, y, x.dim(0), row_bytes(x), Gather{on_device.data<int32_t>()});
}

template <>
void detail::unpermute_rows<Device::cuda>(DeviceContext& ctx, const Tensor& x,
                                          const std::vector<int32_t>& index, const Tensor& y) {
  const Tensor on_device = uploaded(ctx, index);
  move_rows("unpermute_rows", x, y, x.dim(0), row_bytes(x), Scatter{on_device.data<int32_t>()});
}

template <>
void detail::swap_leading<Device::cuda>(const Tensor& x, const Tensor& y) {
  move_rows("swap_leading", x, y, x.dim(0) * x.dim(1), row_bytes(x), Swap{x.dim(0), x.dim(1)});
}

}  // namespace argosy::ops
