// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/bpe.h"

#include <algorithm>
#include <queue>

#include "trainer/tokenizer/utf8.h"

namespace argosy {

namespace {

// A token of the piece, chained to those beside it; -1: none. `token` is -1 once it was merged into
// the one before it.
struct Symbol {
  int32_t token, previous, next;
};

// Symbols from left to right.
struct SymbolList {
  const BpeModel& model;
  std::vector<Symbol> symbols = {};
  bool follows_unknown = false;

  void append(int32_t token) {
    const auto index = static_cast<int32_t>(symbols.size());
    if (index > 0) symbols.back().next = index;
    symbols.push_back({token, index - 1, -1});
    follows_unknown = false;
  }
  void append_byte(char byte) { append(model.byte_ids[static_cast<unsigned char>(byte)]); }
  void append_unknown() {
    const bool is_told = model.unknown >= 0 && !(follows_unknown && model.fuses_unknown);
    if (is_told) append(model.unknown);
    follows_unknown = true;
  }
};

bool has_byte(const BpeModel& model, char byte) {
  return model.byte_ids[static_cast<unsigned char>(byte)] >= 0;
}

std::vector<Symbol> symbols_of_bytes(const BpeModel& model, std::string_view piece) {
  SymbolList list{model};
  list.symbols.reserve(piece.size());
  for (const char byte : piece) {
    if (has_byte(model, byte)) {
      list.append_byte(byte);
    } else {
      list.append_unknown();
    }
  }
  return list.symbols;
}

// Characters that are tokens; others as their bytes, if each of those is a token, or as unknown.
std::vector<Symbol> symbols_of_characters(const BpeModel& model, std::string_view piece) {
  SymbolList list{model};
  while (!piece.empty()) {
    const std::string_view character = piece.substr(0, first_character_bytes(piece));
    piece.remove_prefix(character.size());
    const auto id = model.ids.find(character);
    if (id != model.ids.end()) {
      list.append(id->second);
    } else if (std::all_of(character.begin(), character.end(),
                           [&](char byte) { return has_byte(model, byte); })) {
      for (const char byte : character) list.append_byte(byte);
    } else {
      list.append_unknown();
    }
  }
  return list.symbols;
}

// A pair that may be merged: of those learned equally early the leftmost first.
struct Candidate {
  int32_t rank, left, merged;
  bool operator>(const Candidate& other) const {
    return std::pair(rank, left) > std::pair(other.rank, other.left);
  }
};
using Candidates = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

// The merge of the symbol at `left` with the next one, or null.
const BpeMerge* merge_at(const BpeModel& model, const std::vector<Symbol>& symbols, int32_t left) {
  if (left < 0 || symbols[static_cast<size_t>(left)].next < 0) return nullptr;
  const Symbol& symbol = symbols[static_cast<size_t>(left)];
  const Symbol& next = symbols[static_cast<size_t>(symbol.next)];
  const auto merge = model.merges.find(pair_key(symbol.token, next.token));
  return merge == model.merges.end() ? nullptr : &merge->second;
}

void merge_all(const BpeModel& model, std::vector<Symbol>& symbols) {
  Candidates candidates;
  const auto consider = [&](int32_t left) {
    const BpeMerge* merge = merge_at(model, symbols, left);
    if (merge != nullptr) candidates.push({merge->rank, left, merge->merged});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i));
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    // One of the two may have been merged with another since.
    const BpeMerge* merge = left.token < 0 ? nullptr : merge_at(model, symbols, best.left);
    if (merge == nullptr || merge->merged != best.merged) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    left.token = best.merged;
    left.next = right.next;
    right.token = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
}

}  // namespace

void append_tokens(const BpeModel& model, std::string_view piece, std::vector<int32_t>& tokens) {
  if (model.ignores_merges) {
    const auto id = model.ids.find(piece);
    if (id != model.ids.end()) return tokens.push_back(id->second);
  }
  std::vector<Symbol> symbols =
      model.is_byte_level ? symbols_of_bytes(model, piece) : symbols_of_characters(model, piece);
  if (!model.merges.empty()) merge_all(model, symbols);
  for (const Symbol& symbol : symbols) {
    if (symbol.token >= 0) tokens.push_back(symbol.token);
  }
}

}  // namespace argosy
