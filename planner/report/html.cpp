// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/html.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1c2430; --paper: #ffffff; --rule: #d5dae1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ef; --paper: #14181f; --rule: #39424f; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--rule); text-align: left; }
th.right, td.right { text-align: right; }
.heading { white-space: pre-line; }
.scroll { overflow-x: auto; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--ink); }
.figures { display: flex; flex-wrap: wrap; gap: 2rem; }
.figures b { display: block; font-size: 1.4rem; }
.legend span { margin-right: 1rem; white-space: nowrap; } .legend svg { width: 12px; height: 12px; }
.forward { fill: #3b7dd8; } .backward { fill: #1f9e89; } .reduce { fill: #c26dbc; }
.optimizer { fill: #e0a030; } .wait { fill: #c9ced6; } .transfer { fill: #7f8a99; }
.other { fill: #a8b0bb; }
.share_0 { fill: #3b7dd8; } .share_1 { fill: #c9ced6; } .share_2 { fill: #c26dbc; }
.share_3 { fill: #1f9e89; } .share_4 { fill: #e0a030; } .share_5 { fill: #7f8a99; }
.share_6 { fill: #b5533c; } .share_7 { fill: #8a6fc0; } .share_8 { fill: #5fb3c9; }
.share_9 { fill: #9aa84f; }
.dot { fill: #3b7dd8; } .behind { fill: #c9ced6; }
.panels > input { position: absolute; opacity: 0; } .panels > div { display: none; }
.panels > label { display: inline-block; padding: .2rem .7rem; margin: 0 .3rem .6rem 0;
                  border: 1px solid var(--rule); border-radius: 4px; cursor: pointer; }
.panels > input:focus-visible + label { outline: 2px solid #3b7dd8; }
summary { cursor: pointer; margin-top: 1rem; font-weight: 600; }
.parameters { fill: #3b7dd8; } .gradients { fill: #1f9e89; } .activations { fill: #c26dbc; }
.buffers { fill: #7f8a99; } .workspace { fill: #b5533c; }
.limit { stroke: #c0392b; stroke-width: 1.5; stroke-dasharray: 4 3; }
.axis { stroke: var(--rule); } .curve { fill: none; stroke: #3b7dd8; stroke-width: 1.5; }
)";

// The n-th panel is seen while the n-th choice is made.
std::string panel_style() {
  std::string style;
  for (size_t n = 1; n <= kMostPanels; ++n) {
    style += concat(".panels > input:nth-of-type(", n, "):checked ~ div:nth-of-type(", n,
                    ") { display: block; }\n.panels > input:nth-of-type(", n,
                    "):checked ~ label:nth-of-type(", n, ") { border-color: #3b7dd8; }\n");
  }
  return style;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string html_table(const TextTable& table) {
  std::string html = "<div class=\"scroll\"><table>\n";
  const auto add_row = [&](const std::vector<std::string>& cells, const char* tag) {
    html += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i) {
      const char* side = table.align[i] == Align::right ? " class=\"right\"" : "";
      html += concat("<", tag, side, ">", escape_html(cells[i]), "</", tag, ">");
    }
    html += "</tr>\n";
  };
  add_row(table.header, "th");
  for (const auto& row : table.rows) add_row(row, "td");
  return html + "</table></div>\n";
}

std::string html_legend(const std::vector<std::pair<std::string, std::string>>& class_and_name) {
  std::string html = "<p class=\"legend\">";
  for (const auto& [colour, name] : class_and_name) {
    html += concat("<span><svg viewBox=\"0 0 12 12\"><rect class=\"", colour,
                   "\" width=\"12\" height=\"12\"/></svg> ", escape_html(name), "</span>");
  }
  return html + "</p>\n";
}

std::string html_legend(const std::vector<std::string_view>& classes) {
  std::vector<std::pair<std::string, std::string>> class_and_name;
  class_and_name.reserve(classes.size());
  for (std::string_view name : classes) class_and_name.emplace_back(name, name);
  return html_legend(class_and_name);
}

std::string html_figures(const std::vector<std::pair<std::string, std::string>>& value_and_name) {
  std::string html = "<p class=\"figures\">";
  for (const auto& [value, name] : value_and_name) {
    html += concat("<span><b>", escape_html(value), "</b>", escape_html(name), "</span>");
  }
  return html + "</p>\n";
}

std::string html_panels(const std::string& group,
                        const std::vector<std::pair<std::string, std::string>>& name_and_html) {
  std::string choices, panels;
  for (size_t i = 0; i < std::min(kMostPanels, name_and_html.size()); ++i) {
    const auto& [name, html] = name_and_html[i];
    const std::string id = concat(group, "_", i + 1);
    choices += concat("<input type=\"radio\" name=\"", group, "\" id=\"", id, "\"",
                      i == 0 ? " checked" : "", "><label for=\"", id, "\">", escape_html(name),
                      "</label>");
    panels += concat("<div>\n", html, "</div>\n");
  }
  return concat("<div class=\"panels\">", choices, "\n", panels, "</div>\n");
}

std::string html_details(const std::string& title, const std::string& html) {
  return concat("<details><summary>", escape_html(title), "</summary>\n", html, "</details>\n");
}

std::string html_page(const std::string& title, const std::string& body) {
  return concat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
                escape_html(title), "</title>\n<style>", kStyle, panel_style(),
                "</style>\n</head>\n<body>\n<h1>", escape_html(title), "</h1>\n", body,
                "</body>\n</html>\n");
}

}  // namespace argosy
