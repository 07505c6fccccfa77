// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string_view>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// Whether Python has the method, be it supported here or not.
bool has_method(const Value& object, std::string_view name);

// Methods of str and dict. TemplateFault: one that is not supported, that the sandbox forbids
// because it changes the object, or that Python would raise an error in.
Value call_method(const Value& object, std::string_view name, const Arguments& arguments);

}  // namespace argosy::jinja
