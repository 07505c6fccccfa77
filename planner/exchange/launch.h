// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How many devices a script starts its program on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "planner/exchange/shell_script.h"

namespace argosy {

struct PeerLaunch {
  int64_t num_devices = 0;  // 0: nothing says it, or a part of it is the environment's
  std::string said;         // "--nnodes 32 x --nproc_per_node 8"
};

// By the options of what starts the program (torchrun, torch.distributed.run and launch, deepspeed,
// accelerate, mpirun, srun), with their own defaults; by the #SBATCH lines of `text`, the whole
// script, where the command leaves it to them; by NGPU, as torchtitan's run_train.sh has it.
PeerLaunch launch_of(const ShellCommand& command, std::string_view text);

}  // namespace argosy
