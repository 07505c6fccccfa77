// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/pre_tokenizer.h"

#include <algorithm>

namespace argosy {

const char* const kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

struct Part {
  TextRange range;
  bool is_match;
};

// The whole text as matches and what lies between them.
std::vector<Part> parts_of(const Split& split, std::string_view text) {
  std::vector<Part> parts;
  size_t done = 0;
  for (const TextRange& match : split.pattern.find_all(text)) {
    if (match.begin > done) parts.push_back({{done, match.begin}, split.invert});
    parts.push_back({match, !split.invert});
    done = match.end;
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, split.invert});
  return parts;
}

// Joins each match with the part before it, unless that is a match too.
std::vector<Part> merged_with_previous(const std::vector<Part>& parts) {
  std::vector<Part> merged;
  bool follows_match = false;
  for (const Part& part : parts) {
    if (part.is_match && !follows_match && !merged.empty()) {
      merged.back().range.end = part.range.end;
    } else {
      merged.push_back(part);
    }
    follows_match = part.is_match;
  }
  return merged;
}

std::vector<Part> merged_with_next(const std::vector<Part>& parts) {
  std::vector<Part> merged;  // from the last to the first
  bool precedes_match = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->is_match && !precedes_match && !merged.empty()) {
      merged.back().range.begin = part->range.begin;
    } else {
      merged.push_back(*part);
    }
    precedes_match = part->is_match;
  }
  std::reverse(merged.begin(), merged.end());
  return merged;
}

std::vector<Part> contiguous(const std::vector<Part>& parts) {
  std::vector<Part> merged;
  for (const Part& part : parts) {
    if (!merged.empty() && merged.back().is_match == part.is_match) {
      merged.back().range.end = part.range.end;
    } else {
      merged.push_back(part);
    }
  }
  return merged;
}

std::vector<Part> behave(SplitBehavior behavior, std::vector<Part> parts) {
  switch (behavior) {
    case SplitBehavior::isolated:
      return parts;
    case SplitBehavior::removed:
      std::erase_if(parts, [](const Part& part) { return part.is_match; });
      return parts;
    case SplitBehavior::merged_with_previous:
      return merged_with_previous(parts);
    case SplitBehavior::merged_with_next:
      return merged_with_next(parts);
    case SplitBehavior::contiguous:
      return contiguous(parts);
  }
  return parts;
}

void append_split(const Split& split, std::string_view text,
                  std::vector<std::string_view>& pieces) {
  for (const Part& part : behave(split.behavior, parts_of(split, text))) {
    pieces.push_back(text.substr(part.range.begin, part.range.size()));
  }
}

// One step on one piece.
struct CutPiece {
  std::string_view piece;
  std::optional<TextStart> start;  // nothing: other pieces of the text stand before it
  std::vector<std::string_view>& pieces;
  std::deque<std::string>& changed;

  void operator()(const Split& split) const { append_split(split, piece, pieces); }

  void operator()(const PrefixSpace&) const {
    const bool has_space = piece.starts_with(' ');
    pieces.push_back(has_space ? piece : changed.emplace_back(" " + std::string(piece)));
  }

  void operator()(const Metaspace& step) const {
    const std::string& visible = step.replace_blanks.content;
    std::string& text = changed.emplace_back(replace_all(step.replace_blanks, piece));
    const bool wants_prefix =
        (step.prefix == Metaspace::Prefix::always && start != TextStart::inside_text) ||
        (step.prefix == Metaspace::Prefix::first && start == TextStart::of_text);
    if (wants_prefix && !text.starts_with(visible)) text.insert(0, visible);
    if (!step.split) return pieces.push_back(text);
    append_split(*step.split, text, pieces);
  }
};

}  // namespace

Metaspace make_metaspace(const std::string& visible, Metaspace::Prefix prefix, bool splits) {
  Metaspace step{{Pattern(" ", "Metaspace"), visible}, prefix, std::nullopt};
  if (splits) {
    step.split = Split{Pattern::literal(visible, "Metaspace"), SplitBehavior::merged_with_next};
  }
  return step;
}

void append_pieces(const std::vector<PreTokenizerStep>& steps, std::string_view text,
                   TextStart start, Pieces& pieces) {
  std::vector<std::string_view> current, next;
  if (!text.empty()) current.push_back(text);
  for (const PreTokenizerStep& step : steps) {
    next.clear();
    for (size_t i = 0; i < current.size(); ++i) {
      const auto of_piece = i == 0 ? std::optional(start) : std::nullopt;
      std::visit(CutPiece{current[i], of_piece, next, pieces.changed}, step);
    }
    std::swap(current, next);
  }
  pieces.pieces.insert(pieces.pieces.end(), current.begin(), current.end());
}

}  // namespace argosy
