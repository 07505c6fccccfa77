// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

namespace argosy::ops {

// Threads that the CPU kernels of this rank use at most (OMP_NUM_THREADS, else its cores).
int num_threads();

}  // namespace argosy::ops
