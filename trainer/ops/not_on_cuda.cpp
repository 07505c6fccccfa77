// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Ops that have no CUDA kernel yet, so that the rest builds and links: each says so when it is
// called. An op leaves this file when its _cuda.cu comes.
#include "trainer/ops/activation.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/embedding.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/initialize.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/permute.h"
#include "trainer/ops/rope.h"
#include "trainer/ops/router.h"
#include "trainer/ops/router_totals.h"
#include "trainer/ops/update.h"

namespace argosy::ops::detail {
namespace {

[[noreturn]] void no_kernel(const char* op) {
  throw Error(concat("the op ", op, " is not supported on a cuda device yet"));
}

}  // namespace

// activation.h
template <>
void swiglu_forward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("swiglu_forward");
}
template <>
void swiglu_backward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                   const Tensor&) {
  no_kernel("swiglu_backward");
}
template <>
void gelu_forward<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("gelu_forward");
}
template <>
void gelu_backward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("gelu_backward");
}

// attention.h
template <>
void attention_forward<Device::cuda>(DeviceContext&, const AttentionShape&, const Tensor&,
                                     const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                     Merge) {
  no_kernel("attention_forward");
}
template <>
void attention_backward<Device::cuda>(DeviceContext&, const AttentionShape&, const Tensor&,
                                      const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                      const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                      Merge) {
  no_kernel("attention_backward");
}

// cross_entropy.h
template <>
void cross_entropy_rescale<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&,
                                         const Tensor&, const Tensor&) {
  no_kernel("cross_entropy_rescale");
}
template <>
void cross_entropy_sums<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&,
                                      const Tensor&) {
  no_kernel("cross_entropy_sums");
}
template <>
void cross_entropy_finish<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&,
                                        const Tensor&, const Tensor&, bool) {
  no_kernel("cross_entropy_finish");
}

// dropout.h
template <>
void dropout<Device::cuda>(const Tensor&, const Tensor&, uint64_t, double) {
  no_kernel("dropout");
}

// elementwise.h
template <>
void fill_zero<Device::cuda>(const Tensor&) {
  no_kernel("fill_zero");
}
template <>
void copy<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("copy");
}
template <>
void add<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("add");
}
template <>
void scale<Device::cuda>(double, const Tensor&) {
  no_kernel("scale");
}
template <>
void add_bias<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("add_bias");
}
template <>
void bias_backward<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("bias_backward");
}
template <>
void sigmoid_gate_forward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("sigmoid_gate_forward");
}
template <>
void sigmoid_gate_backward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                         const Tensor&) {
  no_kernel("sigmoid_gate_backward");
}
template <>
double sum<Device::cuda>(const Tensor&) {
  no_kernel("sum");
}
template <>
double sum_of_squares<Device::cuda>(const Tensor&) {
  no_kernel("sum_of_squares");
}

// embedding.h
template <>
void embedding_forward<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&) {
  no_kernel("embedding_forward");
}
template <>
void embedding_backward<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&) {
  no_kernel("embedding_backward");
}
template <>
void add_positions<Device::cuda>(const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("add_positions");
}
template <>
void positions_backward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("positions_backward");
}

// grouped_matmul.h
template <>
void grouped_matmul<Device::cuda>(DeviceContext&, const std::vector<GroupProduct>&,
                                  const MatmulOptions&) {
  no_kernel("grouped_matmul");
}

// initialize.h
template <>
void initialize<Device::cuda>(const TensorSpec&, const Box&, uint64_t, const Tensor&) {
  no_kernel("initialize");
}

// matmul.h
template <>
void matmul<Device::cuda>(DeviceContext&, const Product&, const Tensor&, const Tensor&,
                          const Tensor&, const MatmulOptions&) {
  no_kernel("matmul");
}
template <>
void fill_pattern<Device::cuda>(const Tensor&) {
  no_kernel("fill_pattern");
}
template <>
std::string matmul_description<Device::cuda>() {
  no_kernel("matmul_description");
}

// norm.h
template <>
void norm_forward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, double, const Tensor&,
                                const Tensor&, const Tensor&) {
  no_kernel("norm_forward");
}
template <>
void norm_apply<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&, const Tensor&) {
  no_kernel("norm_apply");
}
template <>
void norm_backward<Device::cuda>(DeviceContext&, const Tensor&, const Tensor&, const Tensor&,
                                 const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                 const Tensor&, bool) {
  no_kernel("norm_backward");
}

// permute.h
template <>
void drop_beyond_capacity<Device::cuda>(const Tensor&, const Tensor&, int64_t, int64_t, int64_t,
                                        int64_t, const Tensor&) {
  no_kernel("drop_beyond_capacity");
}
template <>
std::vector<int64_t> sort_by_expert<Device::cuda>(const Tensor&, int64_t, const Tensor&) {
  no_kernel("sort_by_expert");
}
template <>
void invert<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("invert");
}
template <>
void dispatch_rows<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&) {
  no_kernel("dispatch_rows");
}
template <>
void dispatch_rows_backward<Device::cuda>(const Tensor&, const Tensor&, int64_t, const Tensor&) {
  no_kernel("dispatch_rows_backward");
}
template <>
void combine_rows<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("combine_rows");
}
template <>
void combine_rows_backward<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                         const Tensor&, const Tensor&) {
  no_kernel("combine_rows_backward");
}
template <>
void permute_rows<Device::cuda>(const Tensor&, const std::vector<int32_t>&, const Tensor&) {
  no_kernel("permute_rows");
}
template <>
void unpermute_rows<Device::cuda>(const Tensor&, const std::vector<int32_t>&, const Tensor&) {
  no_kernel("unpermute_rows");
}
template <>
void swap_leading<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("swap_leading");
}

// rope.h
template <>
void fill_rope_table<Device::cuda>(const std::vector<double>&, double, const RopeTable&) {
  no_kernel("fill_rope_table");
}
template <>
void rope<Device::cuda>(const Tensor&, int64_t, const Tensor&, const RopeTable&, bool) {
  no_kernel("rope");
}

// router.h
template <>
void router_forward<Device::cuda>(const RouterRule&, const Tensor&, const Tensor&, const Tensor&,
                                  const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("router_forward");
}
template <>
void router_backward<Device::cuda>(const RouterRule&, const Tensor&, const Tensor&, const Tensor&,
                                   const Tensor&, const Tensor&, const Tensor&, double,
                                   const Tensor&, const Tensor&) {
  no_kernel("router_backward");
}
template <>
void router_statistics<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t,
                                     const Tensor&, const Tensor&) {
  no_kernel("router_statistics");
}
template <>
void aux_loss_backward<Device::cuda>(const Tensor&, const Tensor&, int64_t, double, int64_t,
                                     int64_t, int64_t, const Tensor&) {
  no_kernel("aux_loss_backward");
}

// router_totals.h
template <>
double aux_loss<Device::cuda>(const Tensor&, const Tensor&, const Tensor&, int64_t, int64_t) {
  no_kernel("aux_loss");
}
template <>
double z_loss<Device::cuda>(const Tensor&, const Tensor&) {
  no_kernel("z_loss");
}
template <>
void accumulate_columns<Device::cuda>(const Tensor&, std::vector<double>&) {
  no_kernel("accumulate_columns");
}
template <>
void spread_shares<Device::cuda>(const Tensor&, double, const Tensor&) {
  no_kernel("spread_shares");
}
template <>
void assign_shares<Device::cuda>(const std::vector<double>&, const Tensor&) {
  no_kernel("assign_shares");
}
template <>
void balance_bias<Device::cuda>(const std::vector<double>&, double, const Tensor&) {
  no_kernel("balance_bias");
}

// update.h
template <>
void adamw_update<Device::cuda>(const AdamwStep&, const Tensor&, const Tensor&, const Tensor&,
                                const Tensor&, const Tensor&) {
  no_kernel("adamw_update");
}
template <>
void sgd_update<Device::cuda>(const SgdStep&, const Tensor&, const Tensor&, const Tensor&) {
  no_kernel("sgd_update");
}

}  // namespace argosy::ops::detail
