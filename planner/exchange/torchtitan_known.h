// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keys of torchtitan that decide nothing that is priced, and those that nobody has asked for.
#pragma once

#include <span>

#include "planner/exchange/import.h"

namespace argosy {

class JsonObject;

// The sections that decide something.
std::span<const char* const> torchtitan_sections();

// The last look at one of them: keys without influence are passed over, of others there is a
// warning. Throws ConfigError for one that looks like a decision under another name.
void note_torchtitan_keys(JsonObject& section, PeerRun& run);

// The same of sections. `root`: the whole job.
void note_torchtitan_sections(JsonObject& root, PeerRun& run);

}  // namespace argosy
