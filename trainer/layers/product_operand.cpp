// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/product_operand.h"

namespace argosy {

ops::Fp8Matrix ProductOperand::empty_plain(const LayerContext& ctx) const {
  return ops::empty_fp8(ctx.device, values_.dim(0), values_.dim(1), format_,
                        MemoryCategory::workspace);
}

ops::Fp8Groups ProductOperand::empty_turned(const LayerContext& ctx,
                                            const std::vector<int64_t>& rows) const {
  return ops::empty_fp8_groups(ctx.device, rows, values_.dim(1), format_,
                               MemoryCategory::workspace);
}

void ProductOperand::round(const LayerContext& ctx, const std::vector<int64_t>& rows) const {
  plain_ = empty_plain(ctx);
  turned_ = empty_turned(ctx, rows);
  ops::quantize(ctx.device, values_, plain_, turned_);
}

const ops::Fp8Matrix& ProductOperand::plain(const LayerContext& ctx) const {
  if (!plain_.defined()) {
    plain_ = empty_plain(ctx);
    ops::quantize(ctx.device, values_, plain_, ops::Fp8Groups{});
  }
  return plain_;
}

const ops::Fp8Groups& ProductOperand::turned(const LayerContext& ctx,
                                             const std::vector<int64_t>& rows) const {
  if (!turned_.defined()) {
    turned_ = empty_turned(ctx, rows);
    ops::quantize(ctx.device, values_, {}, turned_);
  }
  CHECK(turned_.rows == rows, "other groups than those that were rounded");
  return turned_;
}

Tensor values_for_product(const LayerContext& ctx, const Parameter& weight) {
  if (!weight.in_4_bits.defined()) return weight.value;
  Tensor values = ctx.scratch(weight.value.shape());
  ops::dequantize_nf4(ctx.device, weight.in_4_bits, values);
  return values;
}

namespace {

void renew_copies(const LayerContext& ctx, const Parameter& weight) {
  if (!weight.copies_are_old) return;
  ops::quantize(ctx.device, weight.value, weight.in_8_bits, weight.turned_in_8_bits);
  weight.copies_are_old = false;
}

// The copy that the parameter keeps, or one for this product alone.
ops::Fp8Matrix copy_of(const LayerContext& ctx, const Parameter& weight, bool turned) {
  const ops::Fp8Matrix& kept = turned ? weight.turned_in_8_bits : weight.in_8_bits;
  if (kept.defined()) {
    renew_copies(ctx, weight);
    return kept;
  }
  const Tensor& value = weight.value;
  const ops::Fp8Matrix none;
  ops::Fp8Matrix lent =
      ops::empty_fp8(ctx.device, value.dim(turned ? 1 : 0), value.dim(turned ? 0 : 1),
                     ops::Fp8Format::e4m3, MemoryCategory::workspace);
  ops::quantize(ctx.device, value, turned ? none : lent, turned ? lent : none);
  return lent;
}

}  // namespace

ops::Fp8Matrix in_8_bits(const LayerContext& ctx, const Parameter& weight) {
  return copy_of(ctx, weight, false);
}

ops::Fp8Matrix turned_in_8_bits(const LayerContext& ctx, const Parameter& weight) {
  return copy_of(ctx, weight, true);
}

}  // namespace argosy
