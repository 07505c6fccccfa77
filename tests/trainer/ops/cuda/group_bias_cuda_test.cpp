// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/group_bias.h"

namespace argosy {
namespace {

struct Case {
  std::vector<int64_t> rows;
  int64_t cols;
};

// Groups without rows; columns that are no packs, whole packs, more than a block's; more groups
// than a table of parts has.
std::vector<Case> cases() {
  std::vector<Case> all = {
      {{0, 0}, 8}, {{1}, 1}, {{0, 3, 0, 131, 1, 0}, 37}, {{64, 65, 0, 129}, 64}, {{2, 1}, 2056}};
  Case many{{}, 8};
  for (int64_t g = 0; g < 701; ++g) many.rows.push_back(g % 3);
  all.push_back(many);
  return all;
}

class GroupBiasCuda : public CudaOpTest {};

TEST_F(GroupBiasCuda, EqualsTheCpu) {
  for (const DType dtype : kCudaDTypes) {
    for (const Case& c : cases()) {
      for (const int64_t begin : {0, 1}) {
        SCOPED_TRACE(testing::Message() << c.rows.size() << " groups of " << c.cols);
        offset = begin;
        int64_t num_rows = 0;
        for (const int64_t rows : c.rows) num_rows += rows;
        const auto tensors = [](const std::vector<const Twin*>& twins, const auto& of) {
          std::vector<Tensor> list;
          for (const Twin* twin : twins) list.push_back(of(*twin));
          return list;
        };
        std::vector<const Twin*> biases, gradients;
        for (size_t g = 0; g < c.rows.size(); ++g) biases.push_back(&operand({c.cols}, dtype));
        const Twin& y = added_to({num_rows, c.cols}, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::add_group_biases(ctx, tensors(biases, of), c.rows, of(y));
        });
        for (size_t g = 0; g < c.rows.size(); ++g)
          gradients.push_back(&added_to({c.cols}, DType::fp32));
        const Twin& dy = operand({num_rows, c.cols}, dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::group_biases_backward(ctx, of(dy), c.rows, tensors(gradients, of));
        });
      }
    }
  }
}

}  // namespace
}  // namespace argosy
