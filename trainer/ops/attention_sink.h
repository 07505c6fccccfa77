// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attention sinks (Xiao et al. 2023, arXiv 2309.17453, as gpt-oss learns them): a logit of each
// head joins the denominator of its softmax, as a key would whose value is 0. Attention itself
// knows nothing of it: its result over all keys is scaled afterwards. Its backward pass is right as
// it is when it gets the result with the sink: exp(score - lse) are then the probabilities.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// out (N, h*D) and lse (N,h), the result of attention over all keys, in place to that with a sink:
// lse' = log(exp(lse) + exp(sink)), out' = out * exp(lse - lse'). sinks (h) in out's dtype, lse in
// the statistic dtype. A query that saw no key keeps out 0 and gets lse' = sink. In bf16 out has
// been rounded before: out' is off by two roundings where one kernel for both would leave one.
void add_sinks(DeviceContext& ctx, const Tensor& sinks, const Tensor& out, const Tensor& lse);

// dsinks (h), gradient dtype, += -sum over rows of exp(sink - lse') * (dout . out'), in a fixed
// order. out and lse are those with the sink.
void sinks_backward(DeviceContext& ctx, const Tensor& sinks, const Tensor& dout, const Tensor& out,
                    const Tensor& lse, const Tensor& dsinks);

// One specialisation a device: attention_sink_cpu.cpp.
namespace detail {
template <Device D>
void add_sinks(const Tensor& sinks, const Tensor& out, const Tensor& lse);
// terms (N,h), statistic dtype: what each row adds to the gradient of a head's sink.
template <Device D>
void sink_gradient_terms(const Tensor& sinks, const Tensor& dout, const Tensor& out,
                         const Tensor& lse, const Tensor& terms);
}  // namespace detail

}  // namespace argosy::ops
