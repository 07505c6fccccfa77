// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text of tokens that come one by one: known as soon as nothing can change it, and not before.
#include <gtest/gtest.h>

#include "tests/trainer/tokenizer/golden_tokenizers.h"
#include "trainer/tokenizer/tokenizer.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {
namespace {

const std::string kShip = encode_utf8(0x1f6a2), kUnknown = encode_utf8(0xfffd);
const std::string kBlank = encode_utf8(0x2581);  // SentencePiece's

ReplaceAll replacement(const std::string& text, const std::string& content) {
  return {Pattern::literal(text, "test"), content};
}

// What each token makes known, and at last the end.
std::vector<std::string> parts_of(const std::vector<DecoderStep>& steps,
                                  const std::vector<std::string>& tokens) {
  TokenDecoder decoder(steps);
  std::vector<std::string> parts;
  parts.reserve(tokens.size() + 1);
  for (const std::string& token : tokens) parts.push_back(decoder.append(token));
  parts.push_back(decoder.end());
  return parts;
}

using Parts = std::vector<std::string>;

TEST(TokenDecoder, BlanksStandBetweenTokensWithoutSteps) {
  EXPECT_EQ(parts_of({}, {"the", "ship"}), (Parts{"the", " ship", ""}));
  EXPECT_EQ(parts_of({}, {}), Parts{""});
}

TEST(TokenDecoder, BytesAreKnownWhenTheirRunEnds) {
  const std::vector<DecoderStep> llama = {replacement(kBlank, " "), JoinByteTokens{}, JoinAll{},
                                          StripEnds{" ", 1, 0}};
  EXPECT_EQ(parts_of(llama, {kBlank + "a", "<0xC3>", "<0xA9>", kBlank + "b"}),
            (Parts{"a", "", "", encode_utf8(0xe9) + " b", ""}));
  // One byte that is none of a character's makes all of its run unknown.
  EXPECT_EQ(parts_of(llama, {"a", "<0xC3>", "<0xA9>", "<0xFF>", "b", "<0xC3>"}),
            (Parts{"a", "", "", "", kUnknown + kUnknown + kUnknown + "b", "", kUnknown}));
  EXPECT_EQ(parts_of(llama, {kBlank, kBlank + kBlank + "a"}), (Parts{"", "  a", ""}));
}

TEST(TokenDecoder, EndsOfEachTokenAreStrippedBeforeTheyAreJoined) {
  EXPECT_EQ(parts_of({StripEnds{"-", 1, 1}, JoinAll{}}, {"-a-", "--b"}), (Parts{"a", "-b", ""}));
}

TEST(TokenDecoder, EndsOfAJoinedTextAreThoseOfTheText) {
  const std::vector<DecoderStep> steps = {JoinAll{}, StripEnds{"ab", 2, 1}};
  EXPECT_EQ(parts_of(steps, {"a", "b", "ab", "ab", "c"}), (Parts{"", "", "", "", "a", "bc"}));
  EXPECT_EQ(parts_of(steps, {"ab", "c", "ab"}), (Parts{"", "", "c", ""}));
  EXPECT_EQ(parts_of(steps, {"a"}), (Parts{"", "a"}));
  const std::vector<DecoderStep> at_begin = {JoinAll{}, StripEnds{"ab", 1, 0}};
  EXPECT_EQ(parts_of(at_begin, {"a", "b", "ab"}), (Parts{"", "", "ab", ""}));
}

TEST(TokenDecoder, SentencePiecesFirstBlankIsDropped) {
  const UndoMetaspace undo{replacement(kBlank, " "), replacement(kBlank, ""), true};
  EXPECT_EQ(parts_of({undo}, {kBlank + "a", kBlank + "b"}), (Parts{"a", " b", ""}));
  EXPECT_EQ(parts_of({JoinAll{}, undo}, {kBlank + "a", kBlank + "b"}), (Parts{"", "", "ab"}));
}

// An expression may find anything in what is to come.
TEST(TokenDecoder, WhatIsReplacedInTheWholeTextIsKnownAtItsEnd) {
  EXPECT_EQ(parts_of({JoinAll{}, replacement("ab", "x")}, {"a", "b", "c"}),
            (Parts{"", "", "", "xc"}));
}

// Bytes of a model of bytes: characters are known whole, and what never becomes one as it is.
TEST(TextDecoder, CharactersAreKnownWhole) {
  const Tokenizer tokenizer = Tokenizer::of_bytes();
  const auto parts = [&](const std::string& text) {
    TextDecoder decoder(tokenizer);
    Parts all;
    all.reserve(text.size() + 1);
    for (const char byte : text) all.push_back(decoder.append(static_cast<unsigned char>(byte)));
    all.push_back(decoder.end());
    return all;
  };
  EXPECT_EQ(parts("a" + kShip + "b"), (Parts{"a", "", "", "", kShip, "b", ""}));
  EXPECT_EQ(parts("\xf0\x9f"
                  "a\x80\xff"),
            (Parts{"", "",
                   "\xf0\x9f"
                   "a",
                   "\x80", "", "\xff"}));
  EXPECT_EQ(parts("a" + kShip.substr(0, 3)), (Parts{"a", "", "", "", kShip.substr(0, 3)}));
}

class StreamedGoldenTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(StreamedGoldenTokenizer, WritesWhatHuggingFaceDecodes) {
  const Tokenizer tokenizer = golden_tokenizer(GetParam());
  for (const GoldenCase& one : golden_cases(GetParam())) {
    SCOPED_TRACE(one.text);
    TextDecoder decoder(tokenizer);
    std::string text;
    for (const int32_t token : one.ids) {
      text += decoder.append(token);
      EXPECT_TRUE(one.decoded.starts_with(with_replacements(text))) << text;
    }
    text += decoder.end();
    EXPECT_EQ(with_replacements(text), one.decoded);
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, StreamedGoldenTokenizer, testing::ValuesIn(kGoldenTokenizers),
                         [](const auto& one) { return std::string(one.param); });

// As long as a text is, a token costs what it is: decoding all of it for each would take minutes.
TEST_P(StreamedGoldenTokenizer, ALongTextTakesALongTextsTime) {
  const Tokenizer tokenizer = golden_tokenizer(GetParam());
  std::vector<int32_t> tokens;
  TextEncoder(tokenizer).append("the ship " + kShip + " left", tokens);
  constexpr int kTimes = 20'000;
  const std::string once = tokenizer.decode(tokens);
  TextDecoder decoder(tokenizer);
  size_t num_bytes = 0, num_parts = 0;
  for (int i = 0; i < kTimes; ++i) {
    for (const int32_t token : tokens) {
      const size_t bytes = decoder.append(token).size();
      num_bytes += bytes, num_parts += bytes > 0 ? 1 : 0;
    }
  }
  num_bytes += decoder.end().size();
  EXPECT_GE(num_bytes, kTimes * once.size());
  EXPECT_LE(num_bytes, kTimes * (once.size() + 1));  // a blank before each but the first
  EXPECT_GE(num_parts, kTimes * size_t{3});
}

}  // namespace
}  // namespace argosy
