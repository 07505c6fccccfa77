// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/attention.h"

#include <algorithm>

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/op_timer.h"

namespace argosy::ops {
namespace {

// Returns their rows.
int64_t check_spans(const std::vector<AttentionSpan>& spans) {
  int64_t row = 0, position = 0;
  for (const AttentionSpan& span : spans) {
    CHECK(span.row == row && span.length >= 0 && span.position >= position, "span of ", span.length,
          " rows from row ", span.row, " at ", span.position, " after row ", row, " at ", position);
    row += span.length;
    position = span.position + span.length;
  }
  return row;
}

// What may be left out, as kernels read it: spans of the whole sequence, and value_dim.
AttentionShape complete(AttentionShape s) {
  s.value_dim = value_dim(s);
  if (s.queries.empty()) s.queries = {{0, 0, s.seq_len}};
  if (s.keys.empty()) s.keys = {{0, 0, s.seq_len}};
  return s;
}

// Results are in the dtype of q or, when they are sums to go on with, in the statistic dtype.
void check_result(const char* name, const Tensor& x, const Shape& shape, DType dtype) {
  check_tensor(name, x, shape, x.dtype() == dtype ? dtype : statistic_of(dtype));
}

void check_attention(const AttentionShape& s, const Tensor& q, const Tensor& k, const Tensor& v,
                     const Tensor& lse) {
  CHECK(s.batch >= 0 && s.seq_len >= 0 && s.num_kv_heads > 0 && s.head_dim > 0 &&
            s.value_dim >= 0 && s.window >= 0 && s.num_heads > 0 &&
            s.num_heads % s.num_kv_heads == 0,
        "batch ", s.batch, ", seq_len ", s.seq_len, ", heads ", s.num_heads, "/", s.num_kv_heads,
        ", head_dim ", s.head_dim, ", value_dim ", s.value_dim, ", window ", s.window);
  const int64_t queries = check_spans(s.queries);
  check_spans(s.keys);
  CHECK(s.queries.empty() || queries == s.seq_len, "spans of ", queries, " queries, ", s.seq_len,
        " a sequence");
  const int64_t rows = s.batch * s.seq_len;
  const int64_t num_rows = s.batch * num_keys(s);
  check_shape("q", q, {rows, s.num_heads * s.head_dim});
  check_tensor("k", k, {num_rows, s.num_kv_heads * s.head_dim}, q.dtype());
  check_tensor("v", v, {num_rows, s.num_kv_heads * value_dim(s)}, q.dtype());
  check_tensor("lse", lse, {rows, s.num_heads}, statistic_of(q.dtype()));
  if (s.document_begin.defined())
    check_tensor("document_begin", s.document_begin, {rows}, DType::int32);
  if (s.document_rows.defined()) {
    check_rank("document_rows", s.document_rows, 1);
    check_dtype("document_rows", s.document_rows, DType::int32);
    CHECK(s.document_begin.defined(), "documents by their rows alone");
  }
}

// Of queries and keys and, as many, of probabilities and values.
int64_t pair_products(const AttentionShape& s) {
  return (s.head_dim + value_dim(s)) * s.num_heads * s.batch * attention_pairs(s);
}

Shape result_shape(const AttentionShape& s) {
  return {s.batch * s.seq_len, s.num_heads * value_dim(s)};
}

}  // namespace

int64_t num_keys(const AttentionShape& shape) {
  return shape.keys.empty() ? shape.seq_len : shape.keys.back().row + shape.keys.back().length;
}

int64_t value_dim(const AttentionShape& shape) {
  return shape.value_dim == 0 ? shape.head_dim : shape.value_dim;
}

int64_t attention_pairs(int64_t seq_len, int64_t window) {
  const int64_t w = window == 0 ? seq_len : std::min(window, seq_len);
  return w * (w + 1) / 2 + (seq_len - w) * w;
}

int64_t attention_pairs(const AttentionShape& shape) {
  if (shape.queries.empty() && shape.keys.empty())
    return attention_pairs(shape.seq_len, shape.window);
  const AttentionShape s = complete(shape);
  int64_t pairs = 0;
  for (const AttentionSpan& query : s.queries) {
    for (int64_t p = query.position; p < query.position + query.length; ++p) {
      const int64_t oldest = s.window == 0 ? 0 : std::max<int64_t>(0, p - s.window + 1);
      for (const AttentionSpan& key : s.keys) {
        const int64_t first = std::max(oldest, key.position);
        pairs += std::max<int64_t>(0, std::min(p + 1, key.position + key.length) - first);
      }
    }
  }
  return pairs;
}

void attention_forward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                       Merge merge) {
  check_attention(shape, q, k, v, lse);
  check_result("out", out, result_shape(shape), q.dtype());
  const OpTimer timer(ctx, ctx.op_seconds.attention_s);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::attention_forward<D>(ctx, complete(shape), q, k, v, out, lse, merge);
  });
  ctx.matmul_flops += 2 * pair_products(shape);
}

void attention_backward(DeviceContext& ctx, const AttentionShape& shape, const Tensor& dout,
                        const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                        const Tensor& lse, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        Merge merge) {
  check_attention(shape, q, k, v, lse);
  CHECK(num_keys(shape) == shape.seq_len, "gradients of ", num_keys(shape), " keys from ",
        shape.seq_len, " queries a sequence");
  check_tensor("out", out, result_shape(shape), q.dtype());
  check_tensor("dout", dout, result_shape(shape), q.dtype());
  check_result("dq", dq, q.shape(), q.dtype());
  check_tensor("dk", dk, k.shape(), dq.dtype());
  check_tensor("dv", dv, v.shape(), dq.dtype());
  const OpTimer timer(ctx, ctx.op_seconds.attention_s);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::attention_backward<D>(ctx, complete(shape), dout, q, k, v, out, lse, dq, dk, dv, merge);
  });
  ctx.matmul_flops += 4 * pair_products(shape);
}

std::string attention_description(Device device) {
  return dispatch_device(device, []<Device D>() { return detail::attention_description<D>(); });
}

}  // namespace argosy::ops
