// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What argosy-plan says on standard error.
#pragma once

#include <string>

namespace argosy {

// On a terminal in lines of at most kTextColumns, where words allow it; else as it is, because
// whoever searches a log wants a message in one line.
void tell(const std::string& message);

// The same behind "warning: ".
void warn(const std::string& message);

}  // namespace argosy
