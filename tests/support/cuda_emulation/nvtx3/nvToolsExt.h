// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stands in for NVIDIA's header of this name: no profiler listens.
#pragma once

inline int nvtxRangePushA(const char*) {
  return 0;
}
inline int nvtxRangePop() {
  return 0;
}
