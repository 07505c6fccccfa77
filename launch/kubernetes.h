// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From a plan to a manifest for Kubernetes: an MPIJob of the MPI operator (kubeflow.org/v2beta1,
// github.com/kubeflow/mpi-operator), which starts Open MPI. Pure, so that --dry-run prints what
// would be applied and tests read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/spec/plan.h"

namespace argosy {

struct KubernetesJob {
  std::string name;                 // of the job; empty: from the model's
  std::string name_space;           // empty: that of kubectl's context
  std::string image;                // with argosy-launch in PATH and argosy-train beside it
  std::vector<std::string> claims;  // of volumes, as "NAME:/path/in/pods"
  std::string memory;               // of a worker's pod, as "512Gi"; empty: not said
  int64_t ranks_per_node = 0;       // ranks of a worker's pod, and its GPUs; 0: as the plan's nodes
  int64_t threads_per_rank = 0;     // 0: not said; cores of a rank, and its OpenMP threads
  int max_restarts = 0;
  std::string plan_path;  // for messages
  std::vector<std::string> trainer_arguments;
};

// The plan as a ConfigMap and the job: workers that wait for Open MPI's daemons, and a launcher
// that runs argosy-launch on the operator's hostfile, with --max-restarts. Workers that are asked
// to go let the ranks save first. Throws ConfigError where an image, a volume, ranks a pod or cores
// a rank are not said, where Kubernetes would refuse a name, and where the run folder would go with
// its pod.
std::string kubernetes_manifest(const KubernetesJob& job, const Plan& plan);

}  // namespace argosy
