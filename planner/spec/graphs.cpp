// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/graphs.h"

#include "planner/spec/check.h"

namespace argosy {

std::string obstacle_to_graphs(const Plan& plan) {
  if (plan.model.has_moe()) {
    return "experts: how many tokens each has is read by the host, which gives the sizes of "
           "their products";
  }
  if (plan.model.num_mtp_modules > 0) {
    return "multi-token prediction: the weight of its losses is an argument of products, and "
           "changes with the masked tokens of a step";
  }
  if (plan.mesh.pp > 1) {
    return concat("pp=", plan.mesh.pp,
                  ": the hosts of neighbour stages agree on each transfer while the step runs");
  }
  if (plan.mesh.cp > 1 && plan.cp_kind == ContextParallel::ring) {
    return concat("cp=", plan.mesh.cp,
                  " with ring attention: the hosts agree on each transfer while the step runs");
  }
  if (plan.offload == Offload::optimizer) {
    return "offload=optimizer: the host updates each part of the weights between two copies";
  }
  return "";
}

}  // namespace argosy
