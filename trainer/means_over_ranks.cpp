// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/means_over_ranks.h"

#include <algorithm>

namespace argosy {

StepParts mean_over_ranks(Communicator& world, const StepParts& of_rank) {
  std::array<double, 5 + kNumAxes> sums = {of_rank.compute_s, of_rank.bubble_s, of_rank.optimizer_s,
                                           of_rank.data_s, of_rank.other_s};
  std::copy(of_rank.exposed_comm_s.begin(), of_rank.exposed_comm_s.end(), sums.begin() + 5);
  world.all_reduce({sums.data(), static_cast<int64_t>(sums.size()), DType::fp64});
  StepParts mean = {.compute_s = sums[0],
                    .bubble_s = sums[1],
                    .optimizer_s = sums[2],
                    .data_s = sums[3],
                    .other_s = sums[4]};
  std::copy(sums.begin() + 5, sums.end(), mean.exposed_comm_s.begin());
  return scaled(mean, 1.0 / world.size());
}

OpParts mean_over_ranks(Communicator& world, const OpParts& of_rank) {
  std::array<double, 2 + kNumCollectiveKinds> sums = {of_rank.matmul_s, of_rank.attention_s};
  std::copy(of_rank.collective_s.begin(), of_rank.collective_s.end(), sums.begin() + 2);
  world.all_reduce({sums.data(), static_cast<int64_t>(sums.size()), DType::fp64});
  for (double& seconds : sums) seconds /= world.size();
  OpParts mean = {.matmul_s = sums[0], .attention_s = sums[1]};
  std::copy(sums.begin() + 2, sums.end(), mean.collective_s.begin());
  return mean;
}

}  // namespace argosy
