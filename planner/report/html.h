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
std::string html_legend(const std::vector<std::pair<std::string, std::string>>& class_and_name);

// A headline number with its name below.
std::string html_figures(const std::vector<std::pair<std::string, std::string>>& value_and_name);

// Panels of which one is seen, chosen by clicking its name; no script needed. `group` is an
// identifier of its own on the page. At most kMostPanels are kept.
inline constexpr size_t kMostPanels = 10;
std::string html_panels(const std::string& group,
                        const std::vector<std::pair<std::string, std::string>>& name_and_html);

// Opens when its title is clicked.
std::string html_details(const std::string& title, const std::string& html);

// `body` is HTML.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace argosy
