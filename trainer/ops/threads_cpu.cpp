// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <omp.h>

#include "trainer/ops/threads.h"

namespace argosy::ops {

int num_threads() {
  return omp_get_max_threads();
}

}  // namespace argosy::ops
