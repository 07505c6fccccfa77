// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cross_entropy.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {

namespace {

// logits (N,V) and one of its statistics.
void check_statistic(const Tensor& logits, const Tensor& statistic, const Shape& shape,
                     const char* name) {
  check_shape(name, statistic, shape);
  check_dtype(name, statistic, statistic_of(logits.dtype()));
}

// With their number.
OwnIds whole(const OwnIds& ids, const Tensor& logits) {
  CHECK(ids.count >= -1 && ids.count <= logits.dim(1), ids.count, " ids for logits ",
        to_string(logits.shape()));
  return {ids.first, ids.count < 0 ? logits.dim(1) : ids.count};
}

void check_targets(const Tensor& logits, const Tensor& targets) {
  check_dtype("targets", targets, DType::int32);
  CHECK(targets.size() == logits.dim(0), targets.size(), " targets for logits ",
        to_string(logits.shape()));
}

}  // namespace

void cross_entropy_sums(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                        const OwnIds& ids, const Tensor& maximum, const Tensor& sums) {
  check_targets(logits, targets);
  check_statistic(logits, maximum, {logits.dim(0)}, "maximum");
  check_statistic(logits, sums, {2, logits.dim(0)}, "sums");
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::cross_entropy_sums<device>(logits, targets, whole(ids, logits), maximum, sums);
  });
}

void cross_entropy_rescale(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                           const OwnIds& ids, const Tensor& from, const Tensor& to,
                           const Tensor& sums) {
  check_targets(logits, targets);
  check_statistic(logits, from, {logits.dim(0)}, "from");
  check_statistic(logits, to, {logits.dim(0)}, "to");
  check_statistic(logits, sums, {2, logits.dim(0)}, "sums");
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::cross_entropy_rescale<device>(logits, targets, whole(ids, logits), from, to, sums);
  });
}

void cross_entropy_finish(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                          const OwnIds& ids, const Tensor& maximum, const Tensor& sums,
                          const Tensor& loss, bool with_gradient) {
  check_targets(logits, targets);
  check_statistic(logits, maximum, {logits.dim(0)}, "maximum");
  check_statistic(logits, sums, {2, logits.dim(0)}, "sums");
  check_statistic(logits, loss, {logits.dim(0)}, "loss");
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::cross_entropy_finish<device>(logits, targets, whole(ids, logits), maximum, sums, loss,
                                         with_gradient);
  });
}

template <Device device>
void detail::cross_entropy_finish_in_bf16(DeviceContext& ctx, const Tensor& logits,
                                          const Tensor& targets, const OwnIds& ids,
                                          const Tensor& maximum, const Tensor& sums,
                                          const Tensor& loss, const Tensor& gradient) {
  cross_entropy_finish<device>(logits, targets, ids, maximum, sums, loss, true);
  const Tensor first = ctx.empty({1, logits.dim(1)}, DType::bf16, MemoryCategory::workspace);
  copy<device>(logits.rows(0, 1), first);
  copy<device>(first, gradient.rows(0, 1));
  for_shrinking_rows(logits.dim(0), [&](int64_t begin, int64_t end) {
    copy<device>(logits.rows(begin, end), gradient.rows(begin, end));
  });
}

Tensor cross_entropy_finish_in_bf16(DeviceContext& ctx, const Tensor& logits, const Tensor& targets,
                                    const OwnIds& ids, const Tensor& maximum, const Tensor& sums,
                                    const Tensor& loss) {
  check_dtype("logits", logits, DType::fp32);
  check_targets(logits, targets);
  check_statistic(logits, maximum, {logits.dim(0)}, "maximum");
  check_statistic(logits, sums, {2, logits.dim(0)}, "sums");
  check_statistic(logits, loss, {logits.dim(0)}, "loss");
  Tensor gradient(logits.storage(), logits.raw(), logits.shape(), DType::bf16, logits.device());
  if (logits.dim(0) == 0) return gradient;
  dispatch_device(ctx.device(), [&]<Device device>() {
    detail::cross_entropy_finish_in_bf16<device>(ctx, logits, targets, whole(ids, logits), maximum,
                                                 sums, loss, gradient);
  });
  return gradient;
}

}  // namespace argosy::ops
