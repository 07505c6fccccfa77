// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string_view>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// Whether Python has the method, be it supported here or not.
bool has_method(const Value& object, std::string_view name);

// Whether it changes the object. The sandbox that others render templates in has no such methods.
bool is_forbidden_method(const Value& object, std::string_view name);

// Methods of str and dict. TemplateFault: one that is not supported or is forbidden, or Python
// would raise an error in it.
Value call_method(const Value& object, std::string_view name, const Arguments& arguments);

}  // namespace argosy::jinja
