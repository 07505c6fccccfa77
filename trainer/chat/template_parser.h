// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// Throws ConfigError naming `where`, the line, and what is not known: a tag, a filter, a test, a
// construct of Jinja that is not supported.
Template parse_template(std::string_view source, const std::string& where);

}  // namespace argosy::jinja
