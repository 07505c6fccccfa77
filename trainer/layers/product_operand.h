// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What products in 8 bits read: a tensor that is rounded once for all products that read it, and a
// weight's copies, which are its own or, where its value is only lent (ZeRO 3), of one product. And
// what products read of a weight that is kept in 4.
#pragma once

#include <utility>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// (m, C) activations, in e4m3, or gradients, in e5m2. Who shares one with several products makes it
// once; a tensor becomes one by itself. Its values must not change while it lives.
class ProductOperand {
 public:
  ProductOperand() = default;
  ProductOperand(Tensor values, ops::Fp8Format format = ops::Fp8Format::e4m3)
      : values_(std::move(values)), format_(format) {}

  const Tensor& values() const { return values_; }
  // Both forms while memory is read once: as plain() and turned() give them afterwards.
  void round(const LayerContext& ctx, const std::vector<int64_t>& rows) const;
  const ops::Fp8Matrix& plain(const LayerContext& ctx) const;
  // The transposes of groups of rows, which are the same in each call.
  const ops::Fp8Groups& turned(const LayerContext& ctx, const std::vector<int64_t>& rows) const;

 private:
  ops::Fp8Matrix empty_plain(const LayerContext& ctx) const;
  ops::Fp8Groups empty_turned(const LayerContext& ctx, const std::vector<int64_t>& rows) const;

  Tensor values_;
  ops::Fp8Format format_ = ops::Fp8Format::e4m3;
  mutable ops::Fp8Matrix plain_;
  mutable ops::Fp8Groups turned_;
};

// A weight (out, in) as products read it: its value, or what it is in NF4, in scratch.
Tensor values_for_product(const LayerContext& ctx, const Parameter& weight);

// Weights (out, in) in 8 bits, and their transposes. Copies that the parameter keeps are made new
// where it has changed.
ops::Fp8Matrix in_8_bits(const LayerContext& ctx, const Parameter& weight);
ops::Fp8Matrix turned_in_8_bits(const LayerContext& ctx, const Parameter& weight);

}  // namespace argosy
