// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/bench/memory_ops.h"

#include <vector>

#include "trainer/device/host_copy.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/embedding.h"
#include "trainer/ops/nf4.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/permute.h"
#include "trainer/ops/rope.h"
#include "trainer/ops/update.h"

namespace argosy::bench {
namespace {

constexpr int64_t kHidden = 768, kFfn = 3072, kVocab = 50257, kHeads = 12;

int64_t wide_rows(const MemoryOps& b) {
  return b.rows / 4;
}
Tensor values(const MemoryOps& b, Shape shape, DType of) {
  const Tensor x = b.ctx.empty(shape, of, MemoryCategory::buffers);
  b.fill(x);
  return x;
}
Tensor values(const MemoryOps& b, Shape shape) {
  return values(b, shape, b.dtype);
}
Tensor integers(const MemoryOps& b, int64_t size, int64_t modulus) {
  std::vector<int32_t> numbers;
  for (int64_t i = 0; i < size; ++i) numbers.push_back(static_cast<int32_t>(i * 7919 % modulus));
  const Tensor x = b.ctx.empty({size}, DType::int32, MemoryCategory::buffers);
  copy_to_device(std::span<const int32_t>(numbers), x);
  return x;
}

// The usual op: `streams` arrays of (rows, kHidden) or (wide_rows(), kFfn).
void compare_wide(const MemoryOps& b, const char* name, int64_t cols, const Streams& streams,
                  const std::function<void()>& op) {
  const int64_t bytes = (cols == kFfn ? wide_rows(b) : b.rows) * cols * size_in_bytes(b.dtype);
  b.compare(name, {streams.read * bytes, streams.written * bytes, streams.updated * bytes}, streams,
            op);
}

void norms(const MemoryOps& b) {
  const Tensor x = values(b, {b.rows, kHidden}), y = values(b, x.shape()),
               dx = values(b, x.shape());
  const Tensor gain = values(b, {kHidden}), bias = values(b, {kHidden});
  const Tensor mean = values(b, {b.rows}, DType::fp32), inv = values(b, {b.rows}, DType::fp32);
  const Tensor dgain = values(b, {kHidden}, DType::fp32), dbias = values(b, {kHidden}, DType::fp32);
  compare_wide(b, "RMSNorm", kHidden, {.read = 1, .written = 1},
               [&] { ops::rms_norm_forward(b.ctx, x, gain, 1e-5, y, inv); });
  compare_wide(b, "LayerNorm", kHidden, {.read = 1, .written = 1},
               [&] { ops::layer_norm_forward(b.ctx, x, gain, bias, 1e-5, y, mean, inv); });
  compare_wide(b, "LayerNorm again", kHidden, {.read = 1, .written = 1},
               [&] { ops::layer_norm_apply(b.ctx, x, gain, bias, mean, inv, y); });
  compare_wide(b, "RMSNorm backward + residual", kHidden, {.read = 2, .updated = 1},
               [&] { ops::rms_norm_backward(b.ctx, y, x, gain, inv, dx, dgain, true); });
  compare_wide(b, "LayerNorm backward + residual", kHidden, {.read = 2, .updated = 1}, [&] {
    ops::layer_norm_backward(b.ctx, y, x, gain, mean, inv, dx, dgain, dbias, true);
  });
}

void elementwise(const MemoryOps& b) {
  const Tensor x = values(b, {b.rows, kHidden}), y = values(b, x.shape());
  const Tensor wide = values(b, {wide_rows(b), kFfn});
  const Tensor bias = values(b, {kFfn}), dbias = values(b, {kFfn}, DType::fp32);
  const Tensor thin_dbias = values(b, {kHidden}, DType::fp32);
  compare_wide(b, "residual", kHidden, {.read = 1, .updated = 1}, [&] { ops::add(b.ctx, x, y); });
  compare_wide(b, "bias", kFfn, {.updated = 1}, [&] { ops::add_bias(b.ctx, bias, wide); });
  compare_wide(b, "bias backward, wide", kFfn, {.read = 1},
               [&] { ops::bias_backward(b.ctx, wide, dbias); });
  compare_wide(b, "bias backward", kHidden, {.read = 1},
               [&] { ops::bias_backward(b.ctx, x, thin_dbias); });
}

void activations(const MemoryOps& b) {
  const Tensor gate = values(b, {wide_rows(b), kFfn}), up = values(b, gate.shape());
  const Tensor y = values(b, gate.shape()), dgate = values(b, gate.shape());
  compare_wide(b, "GELU", kFfn, {.read = 1, .written = 1},
               [&] { ops::gelu_forward(b.ctx, up, y); });
  compare_wide(b, "GELU backward", kFfn, {.read = 1, .updated = 1},
               [&] { ops::gelu_backward(b.ctx, y, up, y); });
  compare_wide(b, "SwiGLU", kFfn, {.read = 2, .written = 1},
               [&] { ops::swiglu_forward(b.ctx, gate, up, y); });
  compare_wide(b, "SwiGLU backward", kFfn, {.read = 2, .written = 1, .updated = 1},
               [&] { ops::swiglu_backward(b.ctx, y, gate, up, dgate, y); });
}

void ropes(const MemoryOps& b) {
  const int64_t length = 256, half = kHidden / kHeads / 2;
  const std::vector<double> frequencies(static_cast<size_t>(half), 0.01);
  const auto table = ops::make_rope_table(b.ctx, frequencies, length, DType::fp32, 1.0);
  const Tensor x = values(b, {b.rows, kHidden}), positions = integers(b, b.rows, length);
  const ops::RopePart whole{.head_dim = 2 * half, .begin = 0, .size = 2 * half};
  compare_wide(b, "RoPE", kHidden, {.updated = 1},
               [&] { ops::rope(b.ctx, x, whole, positions, table, false); });
}

void losses(const MemoryOps& b) {
  if (b.dtype != DType::fp32) return;  // logits are fp32 in every precision but fp64
  const int64_t rows = b.loss_rows;
  const Tensor logits = values(b, {rows, kVocab}), targets = integers(b, rows, kVocab);
  const Tensor maximum = values(b, {rows}), sums = values(b, {2, rows}), loss = values(b, {rows});
  b.compare("cross entropy: sums", {logits.bytes(), 0, 0}, {.read = 1},
            [&] { ops::cross_entropy_sums(b.ctx, logits, targets, {0}, maximum, sums); });
  b.compare("cross entropy: gradient", {0, 0, logits.bytes()}, {.updated = 1}, [&] {
    ops::cross_entropy_finish(b.ctx, logits, targets, {0}, maximum, sums, loss, true);
  });
}

void embeddings(const MemoryOps& b) {
  const Tensor table = values(b, {kVocab, kHidden}), ids = integers(b, b.rows, kVocab);
  const Tensor dtable = values(b, table.shape(), DType::fp32), y = values(b, {b.rows, kHidden});
  compare_wide(b, "embedding", kHidden, {.read = 1, .written = 1},
               [&] { ops::embedding_forward(b.ctx, ids, table, 0, y); });
  const int64_t bytes = b.rows * kHidden;
  b.compare("embedding backward", {bytes * size_in_bytes(b.dtype), 0, bytes * 4},
            {.read = 1, .updated = 1}, [&] { ops::embedding_backward(b.ctx, y, ids, 0, dtable); });
}

// A weight of 4 bits, as before each of its products.
void packed_weights(const MemoryOps& b) {
  const Tensor weight = values(b, {b.rows, kHidden});
  const Box box = {{0, b.rows}, {0, kHidden}};
  const ops::Nf4Matrix matrix = ops::empty_nf4(b.ctx, {box}, MemoryCategory::buffers).front();
  ops::quantize_nf4(b.ctx, weight, box, matrix);
  b.compare("NF4", {nf4_bytes(box), weight.bytes(), 0}, {.read = 1, .written = 1},
            [&] { ops::dequantize_nf4(b.ctx, matrix, weight); });
}

void updates(const MemoryOps& b) {
  const bool has_master = b.dtype == DType::bf16;
  const Tensor params = values(b, {b.parameters}), grads = values(b, {b.parameters}, DType::fp32);
  const Tensor m = values(b, {b.parameters}, DType::fp32),
               v = values(b, {b.parameters}, DType::fp32);
  const Tensor rest =
      has_master ? b.ctx.zeros({b.parameters}, DType::int16, MemoryCategory::buffers) : Tensor();
  const int64_t wide = b.parameters * 4;  // of bf16 parameters and their rest together, too
  b.compare("AdamW", {wide, 0, 3 * wide}, {.read = 1, .updated = has_master ? 4 : 3}, [&] {
    const ops::UpdatePart all{grads, params, rest, m, v};
    ops::adamw_update(b.ctx, {.lr = 1e-6, .step = 3}, {&all, 1});
  });
  if (has_master) return;
  const Tensor norm = b.ctx.zeros({1}, DType::fp64, MemoryCategory::buffers);
  b.compare("gradient norm", {wide, 0, 0}, {.read = 1}, [&] {
    ops::sum_of_squares(b.ctx, {&grads, 1}, norm);
  });
  b.compare("zeros", {0, wide, 0}, {.written = 1}, [&] { ops::fill_zero(b.ctx, grads); });
}

void experts(const MemoryOps& b) {
  constexpr int64_t kChoices = 2, kExperts = 8;
  const int64_t slots = b.rows * kChoices;
  const Tensor x = values(b, {b.rows, kHidden}), many = values(b, {slots, kHidden});
  const Tensor dmany = values(b, many.shape());
  const Tensor chosen = integers(b, slots, kExperts).view({b.rows, kChoices});
  const Tensor order = b.ctx.empty({slots}, DType::int32, MemoryCategory::buffers);
  (void)ops::sort_by_expert(b.ctx, chosen, kExperts, order);
  const Tensor weights = values(b, {b.rows, kChoices}, DType::fp32),
               dweights = values(b, weights.shape(), DType::fp32);
  const int64_t thin = x.bytes(), wide = many.bytes();
  b.compare("MoE dispatch", {thin, wide, 0}, {.read = 1, .written = 1},
            [&] { ops::dispatch_rows(b.ctx, x, order, kChoices, many); });
  b.compare("MoE combine", {wide, thin, 0}, {.read = 1, .written = 1},
            [&] { ops::combine_rows(b.ctx, many, order, weights, x); });
  b.compare("MoE combine backward", {thin + wide, wide, 0}, {.read = 2, .written = 1},
            [&] { ops::combine_rows_backward(b.ctx, x, many, order, weights, dmany, dweights); });
  b.compare("MoE dispatch backward", {wide, 0, thin}, {.read = 1, .updated = 1},
            [&] { ops::dispatch_rows_backward(b.ctx, dmany, order, kChoices, x); });
}

}  // namespace

void run_memory_ops(const MemoryOps& b) {
  for (const auto group : {norms, elementwise, activations, ropes, losses, embeddings,
                           packed_weights, updates, experts}) {
    group(b);
  }
}

}  // namespace argosy::bench
