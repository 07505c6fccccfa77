// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

using TextMethod = Value (*)(const std::string& self, const Arguments& arguments);

// A method of str that is supported; null: another.
TextMethod find_text_method(std::string_view name);

}  // namespace argosy::jinja
