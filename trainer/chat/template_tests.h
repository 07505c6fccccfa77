// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// What `is NAME` asks; null: not known. The functions throw TemplateFault where Jinja raises an
// error.
TestFunction find_test(std::string_view name);
std::string test_names();

}  // namespace argosy::jinja
