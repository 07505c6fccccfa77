// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// What `| NAME` does; null: not known. The functions throw TemplateFault where Jinja raises an
// error.
FilterFunction find_filter(std::string_view name);
std::string filter_names();

using NamedFilter = std::pair<std::string_view, FilterFunction>;
std::span<const NamedFilter> text_filters();
std::span<const NamedFilter> number_filters();
std::span<const NamedFilter> sequence_filters();
std::span<const NamedFilter> item_filters();  // that apply something to each item

// "a.0.b" of an object, as `map(attribute=...)` and `sort(attribute=...)` look for it.
Value attribute_at(const Value& object, const Value& path);

}  // namespace argosy::jinja
