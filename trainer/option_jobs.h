// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which options have an effect in which job.
#pragma once

#include <vector>

#include "planner/spec/config_text.h"
#include "trainer/options.h"

namespace argosy {

// `given`: what the user asked for by words; lines of a --config file, which may serve several
// jobs, are not asked. Throws ConfigError naming the first of them that has no effect in the job of
// `options` (mode and chat), and the jobs that it is for.
void refuse_options_of_other_jobs(const std::vector<ConfigOption>& given,
                                  const TrainOptions& options);

}  // namespace argosy
