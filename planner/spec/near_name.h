// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// The name that begins with `given`, of at least three letters: "h800" is h800-sxm5-80gb; of
// several the shortest, "h100" is h100-8. Else the name that is fewest insertions, removals and
// exchanges of letters away from it, at most two, of short words one; of several the first.
// Neither capitals nor anything but letters and digits count: "Llama3-8B" is one away from
// llama-3.1-8b. Empty: none is that near.
std::string nearest_name(std::string_view given, const std::vector<std::string>& names);

}  // namespace argosy
