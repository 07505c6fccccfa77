// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Files of clusters that name their accelerator instead of describing it.
#pragma once

#include <filesystem>

#include "planner/spec/cluster.h"

namespace argosy {

// As read_cluster(). Where "accelerator" is a name in configs/accelerators (or a path), that file
// says all that this one does not: a key that is given here stands for all that is under it, and of
// links that are not, the first joins the `devices_per_node` given here. Throws ConfigError naming
// file and key.
ClusterReading read_cluster_file(const std::filesystem::path& path);

}  // namespace argosy
