// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers of a cluster's file that are most likely in another unit than the key's.
#pragma once

#include <string>
#include <vector>

#include "planner/spec/cluster.h"

namespace argosy {

// A warning each, with `where` (the file), key, value and the unit that is meant.
std::vector<std::string> unit_warnings(const ClusterSpec& cluster, const std::string& where);

}  // namespace argosy
