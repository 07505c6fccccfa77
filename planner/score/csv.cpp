// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/csv.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Reads one record after the other.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;  // a byte order mark of spreadsheets
  }

  // False at the end. `line` is where the record begins.
  bool next(std::vector<std::string>& cells, size_t& line) {
    skip_empty_lines();
    if (position_ >= text_.size()) return false;
    line = line_;
    cells.clear();
    do cells.push_back(read_cell());
    while (take(','));
    take('\r');
    if (position_ < text_.size() && !take('\n')) {
      throw ConfigError(concat(where_, ": line ", line_, ": text after a closing quote"));
    }
    ++line_;
    return true;
  }

 private:
  bool take(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void skip_empty_lines() {
    while (position_ < text_.size()) {
      const size_t end = std::min(text_.find('\n', position_), text_.size());
      std::string_view line = text_.substr(position_, end - position_);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty() && line.front() != '#') return;
      position_ = std::min(end + 1, text_.size());
      ++line_;
    }
  }

  std::string read_cell() {
    if (!take('"')) {
      const size_t end = std::min(text_.find_first_of(",\r\n", position_), text_.size());
      std::string bare(text_.substr(position_, end - position_));
      position_ = end;
      return bare;
    }
    const size_t first_line = line_;
    std::string quoted;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == '"' && !take('"')) return quoted;
      if (c == '\n') ++line_;
      quoted += c;
    }
    throw ConfigError(concat(where_, ": line ", first_line, ": a quote that is not closed"));
  }

  std::string_view text_;
  const std::string& where_;
  size_t position_ = 0, line_ = 1;
};

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& where) {
  CsvTable table;
  table.where = where;
  CsvReader reader(text, where);
  size_t line = 0;
  if (!reader.next(table.columns, line)) throw ConfigError(concat(where, ": no header line"));
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!table.column_index.emplace(table.columns[i], i).second) {
      throw ConfigError(concat(where, ": column '", table.columns[i], "' is named twice"));
    }
  }
  std::vector<std::string> cells;
  while (reader.next(cells, line)) {
    if (cells.size() != table.columns.size()) {
      throw ConfigError(concat(where, ": line ", line, ": ", cells.size(), " cells, expected ",
                               table.columns.size()));
    }
    table.rows.push_back(cells);
    table.lines.push_back(line);
  }
  return table;
}

const std::string& cell(const CsvTable& table, size_t row, const std::string& column) {
  static const std::string kEmpty;
  const auto found = table.column_index.find(column);
  return found == table.column_index.end() ? kEmpty : table.rows[row][found->second];
}

}  // namespace argosy
