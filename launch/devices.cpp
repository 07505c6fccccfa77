// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/devices.h"

#include "launch/words.h"
#include "planner/spec/check.h"

namespace argosy {

bool asks_for_gpus(const std::vector<std::string>& trainer_arguments) {
  return trainer_option(trainer_arguments, "device") == to_string(Device::cuda);
}

std::string doubt_of_devices(const Plan& plan, const std::string& path,
                             const std::vector<std::string>& trainer_arguments) {
  const bool is_for_gpus = plan.devices && plan.devices->kind == Device::cuda;
  if (!is_for_gpus || trainer_option(trainer_arguments, "device")) return "";
  return concat("--plan ", path, " was made for GPUs (", plan.cluster,
                "), the trainer's options have no --device cuda: ranks will use CPU cores");
}

}  // namespace argosy
