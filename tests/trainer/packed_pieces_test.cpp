// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/packed_pieces.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "planner/spec/bfloat16.h"
#include "planner/spec/philox.h"
#include "tests/planner/tiny_models.h"
#include "trainer/device/host_copy.h"

namespace argosy {
namespace {

// A part that begins within a byte's pair, a block and a tile, read in pieces of any length.
TEST(PackedMemory, ReadsAnyPart) {
  DeviceContext ctx(Device::cpu);
  for (const Box& box : {Box{{60, 131}, {61, 98}}, Box{{0, 66}, {0, 64}}}) {
    const Box around = nf4_tiles_around(box, 200, 100);
    const Tensor x =
        ctx.empty({around.rows.size(), around.cols.size()}, DType::bf16, MemoryCategory::buffers);
    for (int64_t i = 0; i < x.size(); ++i)
      x.data<bfloat16>()[i] = bfloat16(standard_normal(1, 2, static_cast<uint64_t>(i)));
    const ops::Nf4Matrix matrix = ops::empty_nf4(ctx, {box}, MemoryCategory::parameters).front();
    ops::quantize_nf4(ctx, x, around, matrix);
    const Tensor whole =
        ctx.empty({box.rows.size(), box.cols.size()}, DType::bf16, MemoryCategory::buffers);
    ops::dequantize_nf4(ctx, matrix, whole);
    PackedMemory memory(ctx, matrix, DType::bf16);
    for (const int64_t count : {1, 7, 37, 64, 200, 1000}) {
      for (int64_t first = 0; first < box.size(); first += 97) {
        const int64_t read = std::min(count, box.size() - first);
        std::vector<uint16_t> got(static_cast<size_t>(read));
        memory.read(memory.address(first), got.data(), 2 * read);
        for (int64_t i = 0; i < read; ++i)
          ASSERT_EQ(got[static_cast<size_t>(i)], whole.data<bfloat16>()[first + i].bits);
      }
    }
    EXPECT_THROW(memory.write(whole.raw(), memory.address(0), 2, 1, 2), std::logic_error);
  }
}

// One weight after the other, each once, in memory that is given back before the next.
TEST(PackedLoad, HasOneWeightOutOfNf4AtATime) {
  DeviceContext ctx(Device::cpu);
  Plan plan = tiny_plan(tiny_mixtral(), {}, 0, 2);
  plan.lora.base_bits = 4;
  ParameterStore store(ctx, plan, 0);
  int64_t largest = 0;
  size_t expected = 0;
  for (const TensorSpec& spec : store.tensors()) {
    if (!is_quantized(plan.lora, spec)) continue;
    largest = std::max(largest, spec.size());
    ++expected;
  }
  ctx.reset_peaks();
  std::set<std::string> names;
  PackedLoad load(store, [](const TensorSpec&) { return "parameter"; });
  for (auto pieces = load.next(); !pieces.empty(); pieces = load.next()) {
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_TRUE(names.insert(pieces.front().name).second);
    for (int64_t i = 0; i < pieces.front().box.size(); ++i)
      static_cast<double*>(pieces.front().data)[i] = 0.5;
  }
  EXPECT_EQ(names.size(), expected);
  const auto workspace = static_cast<size_t>(MemoryCategory::workspace);
  EXPECT_EQ(ctx.memory().peak[workspace], largest * size_in_bytes(DType::fp64));
  for (const LocalTensor& local : store.layout().tensors) {
    if (!store.in_4_bits(local).defined()) continue;
    for (const double x : copy_to_host<double>(store.kept(local).front().values))
      ASSERT_EQ(x, 0.5) << store.spec_of(local).name;
  }
}

}  // namespace
}  // namespace argosy
