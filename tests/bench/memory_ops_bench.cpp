// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Every memory-bound op at the widths of GPT-2 124M, over so many rows (the first argument, default
// 32768; a quarter of them where rows are wide) that no cache holds an operand, as none holds a
// layer's when its turn comes in a step. Each op runs against a loop of the same reads and writes,
// turn by turn: milliseconds, GB/s with each byte counted once, and the share of what the loop
// reaches. Run it on a quiet machine:
//   OMP_NUM_THREADS=2 build/bin/memory_ops_bench
#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

#include "tests/bench/machine.h"
#include "trainer/ops/activation.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/embedding.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/permute.h"
#include "trainer/ops/rope.h"
#include "trainer/ops/update.h"

namespace argosy {
namespace {

constexpr int kTurns = 9;
constexpr double kTurn_s = 0.02;  // an op shorter than this is repeated
constexpr int64_t kHidden = 768, kFfn = 3072, kVocab = 50257, kHeads = 12;

// Arrays of an op: how many of each kind, all of `array_bytes`.
struct Streams {
  int read = 0, written = 0, updated = 0;
};

struct Bench {
  DeviceContext ctx{Device::cpu};
  int64_t rows;
  DType dtype;

  int64_t wide_rows() const { return rows / 4; }

  Tensor values(Shape shape, DType of) {
    const Tensor x = ctx.empty(shape, of, MemoryCategory::buffers);
    ops::detail::fill_pattern<Device::cpu>(x);
    return x;
  }
  Tensor values(Shape shape) { return values(shape, dtype); }
  Tensor integers(int64_t size, int64_t modulus) {
    const Tensor x = ctx.empty({size}, DType::int32, MemoryCategory::buffers);
    for (int64_t i = 0; i < size; ++i)
      x.data<int32_t>()[i] = static_cast<int32_t>(i * 7919 % modulus);
    return x;
  }

  void compare(const char* name, const bench::Traffic& traffic, const Streams& streams,
               const std::function<void()>& op) {
    bench::Reference reference(ctx, traffic, streams.read, streams.written, streams.updated);
    op();
    reference.run();
    const int repeats = static_cast<int>(
        std::clamp(kTurn_s / bench::seconds_of([&] { reference.run(); }), 1.0, 1e4));
    std::vector<double> op_s, reference_s;
    for (int turn = 0; turn < kTurns; ++turn) {
      const auto repeated = [&](const std::function<void()>& body) {
        return bench::seconds_of([&] {
                 for (int i = 0; i < repeats; ++i) body();
               }) /
               repeats;
      };
      reference_s.push_back(repeated([&] { reference.run(); }));
      op_s.push_back(repeated(op));
    }
    const double seconds = bench::median(op_s), best = bench::median(reference_s);
    const auto bytes = static_cast<double>(traffic.total());
    std::printf("%-34s %-4s %8.3f ms %7.1f GB/s  loop %7.1f GB/s  %4.0f%%\n", name,
                std::string(to_string(dtype)).c_str(), seconds * 1e3, bytes / seconds / 1e9,
                bytes / best / 1e9, 100 * best / seconds);
    std::fflush(stdout);
  }

  // The usual op: `streams` arrays of (rows, kHidden) or (wide_rows(), kFfn).
  void compare_wide(const char* name, int64_t cols, const Streams& streams,
                    const std::function<void()>& op) {
    const int64_t bytes = (cols == kFfn ? wide_rows() : rows) * cols * size_in_bytes(dtype);
    compare(name, {streams.read * bytes, streams.written * bytes, streams.updated * bytes}, streams,
            op);
  }
};

void norms(Bench& b) {
  const Tensor x = b.values({b.rows, kHidden}), y = b.values(x.shape()), dx = b.values(x.shape());
  const Tensor gain = b.values({kHidden}), bias = b.values({kHidden});
  const Tensor mean = b.values({b.rows}, DType::fp32), inv = b.values({b.rows}, DType::fp32);
  const Tensor dgain = b.values({kHidden}, DType::fp32), dbias = b.values({kHidden}, DType::fp32);
  b.compare_wide("RMSNorm", kHidden, {.read = 1, .written = 1},
                 [&] { ops::rms_norm_forward(b.ctx, x, gain, 1e-5, y, inv); });
  b.compare_wide("LayerNorm", kHidden, {.read = 1, .written = 1},
                 [&] { ops::layer_norm_forward(b.ctx, x, gain, bias, 1e-5, y, mean, inv); });
  b.compare_wide("LayerNorm again", kHidden, {.read = 1, .written = 1},
                 [&] { ops::layer_norm_apply(b.ctx, x, gain, bias, mean, inv, y); });
  b.compare_wide("RMSNorm backward + residual", kHidden, {.read = 2, .updated = 1},
                 [&] { ops::rms_norm_backward(b.ctx, y, x, gain, inv, dx, dgain, true); });
  b.compare_wide("LayerNorm backward + residual", kHidden, {.read = 2, .updated = 1}, [&] {
    ops::layer_norm_backward(b.ctx, y, x, gain, mean, inv, dx, dgain, dbias, true);
  });
}

void elementwise(Bench& b) {
  const Tensor x = b.values({b.rows, kHidden}), y = b.values(x.shape());
  const Tensor wide = b.values({b.wide_rows(), kFfn});
  const Tensor bias = b.values({kFfn}), dbias = b.values({kFfn}, DType::fp32);
  const Tensor thin_dbias = b.values({kHidden}, DType::fp32);
  b.compare_wide("residual", kHidden, {.read = 1, .updated = 1}, [&] { ops::add(b.ctx, x, y); });
  b.compare_wide("bias", kFfn, {.updated = 1}, [&] { ops::add_bias(b.ctx, bias, wide); });
  b.compare_wide("bias backward, wide", kFfn, {.read = 1},
                 [&] { ops::bias_backward(b.ctx, wide, dbias); });
  b.compare_wide("bias backward", kHidden, {.read = 1},
                 [&] { ops::bias_backward(b.ctx, x, thin_dbias); });
}

void activations(Bench& b) {
  const Tensor gate = b.values({b.wide_rows(), kFfn}), up = b.values(gate.shape());
  const Tensor y = b.values(gate.shape()), dgate = b.values(gate.shape());
  b.compare_wide("GELU", kFfn, {.read = 1, .written = 1}, [&] { ops::gelu_forward(b.ctx, up, y); });
  b.compare_wide("GELU backward", kFfn, {.read = 1, .updated = 1},
                 [&] { ops::gelu_backward(b.ctx, y, up, y); });
  b.compare_wide("SwiGLU", kFfn, {.read = 2, .written = 1},
                 [&] { ops::swiglu_forward(b.ctx, gate, up, y); });
  b.compare_wide("SwiGLU backward", kFfn, {.read = 2, .written = 1, .updated = 1},
                 [&] { ops::swiglu_backward(b.ctx, y, gate, up, dgate, y); });
}

void ropes(Bench& b) {
  const int64_t length = 256, half = kHidden / kHeads / 2;
  const std::vector<double> frequencies(static_cast<size_t>(half), 0.01);
  const auto table = ops::make_rope_table(b.ctx, frequencies, length, DType::fp32, 1.0);
  const Tensor x = b.values({b.rows, kHidden}), positions = b.integers(b.rows, length);
  b.compare_wide("RoPE", kHidden, {.updated = 1},
                 [&] { ops::rope(b.ctx, x, kHeads, positions, table, false); });
}

void losses(Bench& b) {
  if (b.dtype != DType::fp32) return;  // logits are fp32 in every precision but fp64
  const int64_t rows = std::min<int64_t>(b.rows, 1024);
  const Tensor logits = b.values({rows, kVocab}), targets = b.integers(rows, kVocab);
  const Tensor maximum = b.values({rows}), sums = b.values({2, rows}), loss = b.values({rows});
  b.compare("cross entropy: sums", {logits.bytes(), 0, 0}, {.read = 1},
            [&] { ops::cross_entropy_sums(b.ctx, logits, targets, 0, maximum, sums); });
  b.compare("cross entropy: gradient", {0, 0, logits.bytes()}, {.updated = 1}, [&] {
    ops::cross_entropy_finish(b.ctx, logits, targets, 0, maximum, sums, loss, true);
  });
}

void embeddings(Bench& b) {
  const Tensor table = b.values({kVocab, kHidden}), ids = b.integers(b.rows, kVocab);
  const Tensor dtable = b.values(table.shape(), DType::fp32), y = b.values({b.rows, kHidden});
  b.compare_wide("embedding", kHidden, {.read = 1, .written = 1},
                 [&] { ops::embedding_forward(b.ctx, ids, table, 0, y); });
  const int64_t bytes = b.rows * kHidden;
  b.compare("embedding backward", {bytes * size_in_bytes(b.dtype), 0, bytes * 4},
            {.read = 1, .updated = 1}, [&] { ops::embedding_backward(b.ctx, y, ids, 0, dtable); });
}

void updates(Bench& b) {
  constexpr int64_t kParameters = 32 << 20;  // beyond caches
  const bool has_master = b.dtype == DType::bf16;
  const Tensor params = b.values({kParameters}), grads = b.values({kParameters}, DType::fp32);
  const Tensor m = b.values({kParameters}, DType::fp32), v = b.values({kParameters}, DType::fp32);
  const Tensor rest =
      has_master ? b.ctx.zeros({kParameters}, DType::int16, MemoryCategory::buffers) : Tensor();
  const int64_t wide = kParameters * 4;  // of bf16 parameters and their rest together, too
  b.compare("AdamW", {wide, 0, 3 * wide}, {.read = 1, .updated = has_master ? 4 : 3},
            [&] { ops::adamw_update(b.ctx, {.lr = 1e-6, .step = 3}, grads, params, rest, m, v); });
  if (has_master) return;
  b.compare("gradient norm", {wide, 0, 0}, {.read = 1},
            [&] { (void)ops::sum_of_squares(b.ctx, grads); });
  b.compare("zeros", {0, wide, 0}, {.written = 1}, [&] { ops::fill_zero(b.ctx, grads); });
}

void experts(Bench& b) {
  constexpr int64_t kChoices = 2, kExperts = 8;
  const int64_t slots = b.rows * kChoices;
  const Tensor x = b.values({b.rows, kHidden}), many = b.values({slots, kHidden});
  const Tensor dmany = b.values(many.shape());
  const Tensor chosen = b.integers(slots, kExperts).view({b.rows, kChoices});
  const Tensor order = b.ctx.empty({slots}, DType::int32, MemoryCategory::buffers);
  (void)ops::sort_by_expert(b.ctx, chosen, kExperts, order);
  const Tensor weights = b.values({b.rows, kChoices}, DType::fp32),
               dweights = b.values(weights.shape(), DType::fp32);
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

// Plain loops of 256 MiB an array, on 1 thread and on all.
void machine() {
  DeviceContext ctx(Device::cpu);
  constexpr int64_t kBytes = int64_t{256} << 20;
  const int all = omp_get_max_threads();
  for (const int threads : {1, all}) {
    omp_set_num_threads(threads);
    const auto print = [&](const char* name, const bench::Traffic& traffic, const Streams& s) {
      bench::Reference reference(ctx, traffic, s.read, s.written, s.updated);
      std::vector<double> seconds;
      for (int turn = 0; turn < kTurns; ++turn)
        seconds.push_back(bench::seconds_of([&] { reference.run(); }));
      std::printf("  %s %.1f GB/s", name,
                  static_cast<double>(traffic.total()) / bench::median(seconds) / 1e9);
    };
    std::printf("%d threads:", threads);
    print("read", {kBytes, 0, 0}, {.read = 1});
    print("write", {0, kBytes, 0}, {.written = 1});
    print("copy", {kBytes, kBytes, 0}, {.read = 1, .written = 1});
    print("triad", {2 * kBytes, kBytes, 0}, {.read = 2, .written = 1});
    print("update", {0, 0, kBytes}, {.updated = 1});
    std::printf("\n");
    if (threads == all) break;
  }
  omp_set_num_threads(all);
}

void run(int64_t rows) {
  machine();
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    Bench b{.rows = rows, .dtype = dtype};
    for (const auto group :
         {norms, elementwise, activations, ropes, losses, embeddings, updates, experts}) {
      group(b);
    }
  }
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  argosy::run(argc > 1 ? std::atoll(argv[1]) : 32768);
  return 0;
}
