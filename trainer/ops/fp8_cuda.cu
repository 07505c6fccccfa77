// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A tensor is read twice: for its largest magnitude, and to be rounded. The maximum is taken block
// by block and then over the blocks: it is the same in any order, and no atomics are needed.
#include <cuda_fp8.h>

#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/cuda_parts.cuh"
#include "trainer/ops/fp8.h"

namespace argosy::ops::detail {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 64;                  // rows and columns that a block rounds
constexpr int kWord = 4;                   // numbers of 8 bits in a word: columns of a thread
constexpr int kTurnedRow = kTile + kWord;  // of shared memory, in bytes: columns in other banks
constexpr int64_t kMostBlocks = 1024;      // of maxima: the threads that take the last one
constexpr float kLargestE4m3 = 448, kLargestE5m2 = 57344;  // OCP's OFP8, 2023

__device__ inline unsigned magnitude_bits(float x) {
  return __float_as_uint(x) & 0x7fffffffu;
}

// The largest magnitude of each block as its bits, which order as magnitudes do; NaNs are largest.
__global__ void maxima_kernel(const bfloat16* x, int64_t packs, unsigned* maxima) {
  unsigned largest = 0;
  for (int64_t i = thread_of_grid(); i < packs; i += threads_of_grid()) {
    float values[8];
    load(x + 8 * i, values);
#pragma unroll
    for (int j = 0; j < 8; ++j) largest = max(largest, magnitude_bits(values[j]));
  }
  unsigned* scratch = shared_memory<unsigned>();
#pragma unroll
  for (int bit = kWarp / 2; bit > 0; bit /= 2)
    largest = max(largest, __shfl_xor_sync(kAllLanes, largest, bit));
  if (lane_of_thread() == 0) scratch[warp_of_thread()] = largest;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < kThreads / kWarp; ++warp) largest = max(largest, scratch[warp]);
  maxima[blockIdx.x] = largest;
}

// One warp. A tensor of zeros has scale 1.
__global__ void scale_kernel(const unsigned* maxima, int count, float limit, float* scale,
                             float* turned_scale) {
  unsigned largest = 0;
  for (int i = lane_of_thread(); i < count; i += kWarp) largest = max(largest, maxima[i]);
#pragma unroll
  for (int bit = kWarp / 2; bit > 0; bit /= 2)
    largest = max(largest, __shfl_xor_sync(kAllLanes, largest, bit));
  const float result = largest == 0 ? 1.0f : __uint_as_float(largest) / limit;
  if (lane_of_thread() == 0) {
    if (scale != nullptr) *scale = result;
    if (turned_scale != nullptr) *turned_scale = result;
  }
}

template <bool kIsE5m2>
__device__ unsigned in_8_bits(float x) {
  return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, kIsE5m2 ? __NV_E5M2 : __NV_E4M3);
}

// Consecutive rows: `size` of the transpose, of which `rows` are there and the others are zeros.
struct RowsPart {
  const bfloat16* x;
  unsigned *plain, *turned;  // null: not asked for
  int64_t rows, size;
};

// A tile of kTile x kTile of a part: four neighbours of a row make a word; the transpose is put
// together in shared memory.
template <bool kIsE5m2>
__global__ void round_kernel(const __grid_constant__ PartTable<RowsPart> table, int64_t cols,
                             const float* scale) {
  constexpr int kWordsOfRow = kTile / kWord, kRowsAtOnce = kThreads / kWordsOfRow;
  constexpr int kRounds = kTile / kRowsAtOnce;
  unsigned char* tile = shared_memory<unsigned char>();  // (kTile, kTurnedRow): row, col
  const PartChunk chunk = chunk_of_block(table, kTile);
  const RowsPart& part = table.parts[chunk.part];
  const int64_t first_row = chunk.begin, first_col = int64_t{blockIdx.y} * kTile;
  const int word = static_cast<int>(threadIdx.x) % kWordsOfRow,
            line = static_cast<int>(threadIdx.x) / kWordsOfRow;
  const int64_t col = first_col + kWord * word;
  Raw<bfloat16, kWord> raw[kRounds] = {};
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int64_t row = first_row + line + round * kRowsAtOnce;
    if (row < part.rows && col < cols) raw[round] = load_raw<kWord>(part.x + row * cols + col);
  }
  const float divisor = *scale;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int i = line + round * kRowsAtOnce;
    const int64_t row = first_row + i;
    float values[kWord];
    unpack(raw[round], values);  // zeros behind the rows, as the transpose has them
    unsigned four = 0;
#pragma unroll
    for (int j = 0; j < kWord; ++j) four |= in_8_bits<kIsE5m2>(values[j] / divisor) << (8 * j);
    if (part.plain != nullptr && row < part.rows && col < cols)
      part.plain[(row * cols + col) / kWord] = four;
    *reinterpret_cast<unsigned*>(tile + i * kTurnedRow + kWord * word) = four;
  }
  if (part.turned == nullptr) return;
  __syncthreads();
  for (int i = line; i < kTile; i += kRowsAtOnce) {
    const int64_t row = first_row + kWord * word, turned_row = first_col + i;
    if (row >= part.size || turned_row >= cols) continue;
    unsigned four = 0;
#pragma unroll
    for (int j = 0; j < kWord; ++j)
      four |= static_cast<unsigned>(tile[(kWord * word + j) * kTurnedRow + i]) << (8 * j);
    part.turned[(turned_row * part.size + row) / kWord] = four;
  }
}

// Of all rows, or of each group whose transpose is asked for.
std::vector<RowsPart> parts_of(const Tensor& x, const Fp8Matrix& plain, const Fp8Groups& turned) {
  const int64_t cols = x.dim(1);
  const auto part = [&](int64_t begin, int64_t rows) {
    return RowsPart{x.data<bfloat16>() + begin * cols,
                    plain.defined() ? plain.bytes.data<unsigned>() + begin * cols / kWord : nullptr,
                    nullptr, rows, rows};
  };
  if (!turned.defined()) return {part(0, x.dim(0))};
  std::vector<RowsPart> parts;
  parts.reserve(turned.rows.size());
  int64_t begin = 0;
  for (size_t g = 0; g < turned.rows.size(); begin += turned.rows[g++]) {
    parts.push_back(part(begin, turned.rows[g]));
    parts.back().turned = turned.turned[g].bytes.data<unsigned>();
    parts.back().size = turned.turned[g].cols();
  }
  return parts;
}

MatrixOperand operand_of(const Fp8Matrix& x) {
  return {x.bytes.raw(), x.format == Fp8Format::e4m3 ? MatrixType::e4m3 : MatrixType::e5m2,
          x.scale.data<float>()};
}

}  // namespace

template <>
void require_fp8<Device::cuda>(DeviceContext& ctx) {
  constexpr int kFirst = 89;  // Ada; 90 is Hopper
  const CudaFacts& facts = cuda_of(ctx).facts();
  if (facts.compute_capability >= kFirst) return;
  throw ConfigError(concat("--precision fp8: ", facts.name, " (compute capability ",
                           facts.compute_capability / 10, ".", facts.compute_capability % 10,
                           ") has no products in 8 bits; valid here: fp32, bf16"));
}

template <>
void quantize<Device::cuda>(DeviceContext& ctx, const Tensor& x, const Fp8Matrix& plain,
                            const Fp8Groups& turned) {
  const CudaDevice& device = cuda_of(ctx);
  CHECK(x.size() % 8 == 0 && are_aligned(x.raw()), "rows of whole 16 bytes are rounded");
  const int64_t cols = x.dim(1), packs = x.size() / 8;
  const Fp8Matrix& first = plain.defined() ? plain : turned.turned.front();
  const Fp8Format format = first.format;
  const int64_t blocks = std::min(ceil_div(packs, int64_t{kThreads}), kMostBlocks);
  const Tensor maxima = ctx.empty({blocks}, DType::int32, MemoryCategory::workspace);
  launch(device, "fp8_maxima", maxima_kernel, {blocks_of(blocks), kThreads, kWarp * 4},
         x.data<bfloat16>(), packs, maxima.data<unsigned>());
  launch(device, "fp8_scale", scale_kernel, {blocks_of(1), kWarp}, maxima.data<unsigned>(),
         static_cast<int>(blocks), format == Fp8Format::e4m3 ? kLargestE4m3 : kLargestE5m2,
         plain.defined() ? plain.scale.data<float>() : nullptr,
         turned.defined() ? turned.turned.front().scale.data<float>() : nullptr);
  const auto kernel = format == Fp8Format::e4m3 ? round_kernel<false> : round_kernel<true>;
  for_part_tables(parts_of(x, plain, turned), kTile, [&](const auto& table) {
    const Grid grid{blocks_of(table.num_chunks, ceil_div(cols, int64_t{kTile})), kThreads,
                    int64_t{kTile} * kTurnedRow};
    launch(device, "fp8_round", kernel, grid, table, cols, first.scale.data<float>());
  });
}

template <>
void matmul_fp8<Device::cuda>(DeviceContext& ctx, const Fp8Matrix& a, const Fp8Matrix& b,
                              const Tensor& out, const MatmulOptions& options, Ragged ragged) {
  const LibraryProduct product{
      .sizes = {.transpose_b = true, .m = out.dim(0), .n = out.dim(1), .k = a.cols()},
      .a = operand_of(a),
      .b = operand_of(b),
      .c = out.raw(),
      .result = matrix_type(out.dtype()),
      .alpha = options.alpha,
      .accumulate = options.accumulate,
      .ragged = ragged};
  run_product_with_bias(ctx, product, options.bias, out);
}

}  // namespace argosy::ops::detail
