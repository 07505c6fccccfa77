// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tables of comma-separated values with a header line (RFC 4180: quotes around cells that hold
// commas, quotes or line ends; a quote inside is doubled).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace argosy {

struct CsvTable {
  std::string where;  // the file, for messages
  std::vector<std::string> columns;
  std::unordered_map<std::string, size_t> column_index;
  std::vector<std::vector<std::string>> rows;  // [rows][columns]
  std::vector<size_t> lines;                   // [rows]: where each begins in the file, from 1
};

// Blank lines and lines that begin with '#' outside of quotes are passed over. Throws ConfigError
// naming file and line: a quote that is not closed, a row with more or fewer cells than columns, a
// column named twice.
CsvTable parse_csv(std::string_view text, const std::string& where);

// Cell of a row, "" if there is no such column.
const std::string& cell(const CsvTable& table, size_t row, const std::string& column);

}  // namespace argosy
