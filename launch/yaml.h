// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// JSON as YAML that people read: one entry a line, quotes only where YAML would read something
// else.
#pragma once

#include <string>
#include <string_view>

namespace argosy {

// The JSON document in block style; texts of several lines as they are, behind `|`.
std::string yaml_of_json(std::string_view json);

}  // namespace argosy
