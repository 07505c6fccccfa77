// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909): a piece of text begins as
// its bytes or characters; then the pair that was learned first is merged, until no pair is known.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace argosy {

// Lets maps be asked for a string_view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

struct BpeMerge {
  int32_t rank = 0;  // the lowest first
  int32_t merged = 0;
};

constexpr uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

struct BpeModel {
  TextMap<int32_t> ids;                           // of tokens; byte-level ones by their bytes
  std::unordered_map<uint64_t, BpeMerge> merges;  // by pair_key
  bool is_byte_level = false;  // a piece begins as its bytes, else as its characters
  // Token of each byte: the beginning of byte-level pieces; else what stands for a character that
  // is no token (SentencePiece's <0x0A>). -1: none.
  std::array<int32_t, 256> byte_ids{};
  int32_t unknown = -1;         // for what nothing else stands for; -1: it is left out
  bool fuses_unknown = false;   // one for all that stand beside each other
  bool ignores_merges = false;  // a piece that is a token is not built by merges
};

// Adds the tokens of one piece of valid UTF-8 (byte-level: of any bytes).
void append_tokens(const BpeModel& model, std::string_view piece, std::vector<int32_t>& tokens);

}  // namespace argosy
