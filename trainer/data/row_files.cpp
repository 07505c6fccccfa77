// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Files of rows, one packed after the other into one stream of tokens. Threads read them.
#include <algorithm>
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include "planner/spec/check.h"
#include "trainer/data/data_file.h"
#include "trainer/data/rows.h"
#include "trainer/data/sources.h"
#include "trainer/data/token_array.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

struct RowText {
  std::string_view json;
  int64_t number;  // from 1, of the line or of the item
};

constexpr std::string_view kBlanks = " \t\r\n";

std::vector<RowText> lines_of(std::string_view text) {
  std::vector<RowText> rows;
  for (int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(kBlanks) != std::string_view::npos) rows.push_back({line, number});
  }
  return rows;
}

// Where the value that begins at `begin` ends: at the comma or bracket behind it.
size_t end_of_item(std::string_view text, size_t begin) {
  int64_t depth = 0;
  bool is_in_string = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      is_in_string = c != '"';
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == ']')) {
      return i;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return text.size();
}

// Items of the list that begins at `begin`; each is parsed later.
std::vector<RowText> items_of(std::string_view text, size_t begin, const fs::path& path) {
  std::vector<RowText> rows;
  size_t at = begin + 1;
  while (true) {
    const size_t end = end_of_item(text, at);
    if (end == text.size()) {
      throw ConfigError(concat("data file ", path, ": not valid JSON: its list does not end"));
    }
    const std::string_view item = text.substr(at, end - at);
    const bool is_blank = item.find_first_not_of(kBlanks) == std::string_view::npos;
    if (!is_blank || text[end] == ',') rows.push_back({item, std::ssize(rows) + 1});
    at = end + 1;
    if (text[end] == ']') break;
  }
  if (text.find_first_not_of(kBlanks, at) != std::string_view::npos) {
    throw ConfigError(concat("data file ", path, ": not valid JSON: text behind its list"));
  }
  return rows;
}

struct RowList {
  std::vector<RowText> rows;
  const char* unit;  // of their numbers
};

// A list, or an object a line.
RowList rows_of(std::string_view text, const fs::path& path) {
  const size_t begin = text.find_first_not_of(kBlanks);
  const bool is_list = begin != std::string_view::npos && text[begin] == '[';
  return is_list ? RowList{items_of(text, begin, path), "item"} : RowList{lines_of(text), "line"};
}

// What one thread has read.
struct ReadRows {
  MarkedTokens tokens;
  std::optional<RowKind> kind;
  std::exception_ptr failure;
};

void read_rows(const RowList& list, size_t begin, size_t end, const fs::path& path,
               RowReader& reader, ReadRows& read) {
  try {
    for (size_t i = begin; i < end; ++i) {
      const std::string where =
          concat("data file ", path, " ", list.unit, " ", list.rows[i].number);
      const size_t row_begin = read.tokens.tokens.size();
      const RowKind kind = append_row(list.rows[i].json, where, reader, read.tokens);
      read.tokens.mark_row(row_begin);
      if (read.kind.value_or(kind) != kind) {
        throw ConfigError(concat(where, ": `input_ids` and text in one file; valid: one of them"));
      }
      read.kind = kind;
    }
  } catch (...) {
    read.failure = std::current_exception();
  }
}

// In the order of the file, whatever the number of threads. Of several mistakes the first is told.
ReadRows joined(std::vector<ReadRows> parts, const fs::path& path) {
  ReadRows all;
  for (ReadRows& part : parts) {
    if (part.failure) std::rethrow_exception(part.failure);
    if (!part.kind) continue;
    if (all.kind.value_or(*part.kind) != *part.kind) {
      throw ConfigError(
          concat("data file ", path, ": `input_ids` and text in one file; valid: one of them"));
    }
    all.kind = part.kind;
    MarkedTokens& to = all.tokens;
    to.tokens.insert(to.tokens.end(), part.tokens.tokens.begin(), part.tokens.tokens.end());
    to.is_target.insert(to.is_target.end(), part.tokens.is_target.begin(),
                        part.tokens.is_target.end());
    to.is_begin.insert(to.is_begin.end(), part.tokens.is_begin.begin(), part.tokens.is_begin.end());
    part = {};
  }
  return all;
}

}  // namespace

std::unique_ptr<TokenSource> open_rows(const fs::path& path, const TokenizerFolder& tokenizer) {
  constexpr size_t kRowsOfPart = 64;  // of all lengths: long ones do not come to one thread alone
  const DataFile file(path);
  const RowList list = rows_of(file.text(), path);
  const size_t num_parts = (list.rows.size() + kRowsOfPart - 1) / kRowsOfPart;
  std::vector<ReadRows> parts(num_parts);
#pragma omp parallel
  {
    RowReader reader(tokenizer);
#pragma omp for schedule(dynamic)
    for (size_t part = 0; part < num_parts; ++part) {
      const size_t begin = part * kRowsOfPart;
      read_rows(list, begin, std::min(begin + kRowsOfPart, list.rows.size()), path, reader,
                parts[part]);
    }
  }
  ReadRows all = joined(std::move(parts), path);
  if (all.tokens.tokens.empty()) throw ConfigError(concat("data file ", path, ": is empty"));
  return std::make_unique<TokenArray>(std::move(all.tokens), all.kind == RowKind::text);
}

}  // namespace argosy
