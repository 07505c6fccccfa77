// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Self-contained pages: one file, no scripts, nothing loaded from elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planner/report/text_table.h"

namespace argosy {

std::string escape_html(std::string_view text);

std::string html_table(const TextTable& table);

// Coloured squares with names; each name is a class of the style sheet.
std::string html_legend(const std::vector<std::string_view>& classes);

// A headline number with its name below.
std::string html_figures(const std::vector<std::pair<std::string, std::string>>& value_and_name);

// `body` is HTML.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace argosy
