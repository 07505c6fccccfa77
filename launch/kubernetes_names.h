// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Names and amounts as Kubernetes takes them; what it would refuse is a ConfigError here, naming
// option, value and what would be valid (kubernetes.io/docs/concepts/overview/working-with-objects/
// names).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace argosy {

struct VolumeClaim {
  std::string name, path;  // PersistentVolumeClaim, and where pods see it
  bool operator==(const VolumeClaim&) const = default;
};

// At most 63 of a-z, 0-9 and dashes, the first and the last no dash.
void check_label(const std::string& value, const char* option);

// The job's name: as given, or from the model's. Pods are named by it, the last one
// "NAME-worker-<num_workers - 1>", and that must be the name of a host.
std::string job_name(const std::string& given, const std::string& model, int64_t num_workers);

// From "NAME:/path" each. At least one, no path twice.
std::vector<VolumeClaim> volume_claims(const std::vector<std::string>& words);

void check_image(const std::string& image);
void check_memory(const std::string& amount);

}  // namespace argosy
