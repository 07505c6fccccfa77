// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/text_table.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

std::string to_line(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                    const std::vector<Align>& align) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths[i] - cells[i].size(), ' ');
    if (i > 0) line += "  ";
    line += align[i] == Align::right ? padding + cells[i] : cells[i] + padding;
  }
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

TextTable labelled_table(std::vector<std::string> header) {
  TextTable table;
  table.header = std::move(header);
  table.align.assign(table.header.size(), Align::right);
  table.align.front() = Align::left;
  return table;
}

std::string to_text(const TextTable& table) {
  CHECK(table.align.size() == table.header.size(), "columns");
  std::vector<size_t> widths;
  for (const std::string& name : table.header) widths.push_back(name.size());
  for (const auto& row : table.rows) {
    CHECK(row.size() == widths.size(), "row of ", row.size(), " cells");
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text = to_line(table.header, widths, table.align);
  for (const auto& row : table.rows) text += to_line(row, widths, table.align);
  return text;
}

std::string wrap(const std::string& text, size_t width, const std::string& indent) {
  std::istringstream words(text);
  std::string result, line, word;
  while (words >> word) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      result += line + "\n";
      line = indent + word;
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return result + line + "\n";
}

}  // namespace argosy
