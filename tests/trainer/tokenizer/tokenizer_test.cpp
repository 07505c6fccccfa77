// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Small tokenizers of every kind against Hugging Face's library (tests/golden/tokenizers).
#include "trainer/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/texts.h"
#include "tests/trainer/tokenizer/golden_tokenizers.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy {
namespace {

using nlohmann::json;

std::vector<int32_t> part_tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> tokens;
  TextEncoder(tokenizer).append(text, tokens);
  return tokens;
}

class GoldenTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTokenizer, EncodesAndDecodesAsHuggingFace) {
  const std::string name = GetParam();
  const Tokenizer tokenizer = golden_tokenizer(name);
  const std::vector<GoldenCase> cases = golden_cases(name);
  ASSERT_GT(cases.size(), 20u);
  TextEncoder encoder(tokenizer);  // of all texts: what it remembers must not change them
  for (const int round : {1, 2}) {
    for (const GoldenCase& one : cases) {
      SCOPED_TRACE(concat("round ", round, ": ", one.text));
      std::vector<int32_t> tokens;
      encoder.append(one.text, tokens);
      EXPECT_EQ(tokens, one.ids);
      EXPECT_EQ(encode(tokenizer, one.text), one.whole);
      EXPECT_EQ(with_replacements(tokenizer.decode(tokens)), one.decoded);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, GoldenTokenizer, testing::ValuesIn(kGoldenTokenizers),
                         [](const auto& one) { return std::string(one.param); });

TEST(ByteTokenizer, EveryByteComesBack) {
  const Tokenizer tokenizer = Tokenizer::of_bytes();
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text.push_back(static_cast<char>(byte));
  std::vector<int32_t> tokens = part_tokens(tokenizer, text);
  ASSERT_EQ(tokens.size(), 256u);
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(tokens[static_cast<size_t>(byte)], byte);
  for (const int32_t no_byte : {kEndOfText, kPadToken, 4000, -1}) tokens.push_back(no_byte);
  EXPECT_EQ(tokenizer.decode(tokens), text);
  EXPECT_EQ(tokenizer.num_tokens(), kByteVocabulary);
}

TEST(Tokenizer, SaysWhereATextIsNotUtf8) {
  const Tokenizer tokenizer = golden_tokenizer("like_gpt2");
  for (const char* broken :
       {"abc\xff", "abc\xc3", "abc\xed\xa0\x80", "abc\xc0\x80", "abc\xf5\x80"}) {
    const std::string message = config_error_of([&] { part_tokens(tokenizer, broken); });
    EXPECT_TRUE(contains(message, "byte 3")) << message;
  }
}

// Cutting at any place inside a word of many parts must not change what the merges give.
TEST(Tokenizer, LongPiecesAreMergedAsShortOnes) {
  const Tokenizer tokenizer = golden_tokenizer("like_llama2");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "the ship ";
  const std::vector<int32_t> tokens = part_tokens(tokenizer, text);
  EXPECT_EQ(tokenizer.decode(tokens), text);
  const std::vector<int32_t> once = part_tokens(tokenizer, "the ship ");
  EXPECT_LT(tokens.size(), 20000 * once.size() + 1);
}

// SentencePiece's blank stands at the beginning of a text and behind tokens, not where a text is
// cut in two.
TEST(Tokenizer, AContinuedTextHasNoBlankOfItsOwn) {
  for (const char* kind : {"like_llama2", "like_mistral", "with_metaspace"}) {
    const Tokenizer tokenizer = golden_tokenizer(kind);
    TextEncoder encoder(tokenizer);
    std::vector<int32_t> tokens = {};
    encoder.append("the ship", tokens);
    encoder.append("'s bell", tokens, TextStart::inside_text);
    EXPECT_EQ(tokenizer.decode(tokens), "the ship's bell") << kind;
    encoder.append(" rang", tokens, TextStart::inside_text);
    EXPECT_EQ(tokenizer.decode(tokens), "the ship's bell rang") << kind;
  }
}

TEST(Tokenizer, FindsTokensByTheirText) {
  const Tokenizer tokenizer = golden_tokenizer("like_llama3");
  EXPECT_EQ(tokenizer.id_of("<|end|>"), tokenizer.num_tokens() - 1);
  EXPECT_GE(tokenizer.id_of("\u0120the"), 256);  // as files write " the"
  EXPECT_EQ(tokenizer.id_of("no such token"), -1);
  EXPECT_EQ(tokenizer.special_texts(), (std::vector<std::string>{"<|start|>", "<|end|>", "<s>"}));
}

// A file with one thing changed.
struct BadFile {
  const char* pointer;  // JSON pointer of what is replaced
  const char* value;
  std::vector<std::string> parts;  // of the message
};

TEST(TokenizerJson, MistakesNameFileKeyAndWhatIsValid) {
  const std::vector<BadFile> files = {
      {"/model/type", R"("Unigram")", {"model.type", "Unigram", "BPE"}},
      {"/model/end_of_word_suffix", R"("</w>")", {"model.end_of_word_suffix", "</w>"}},
      {"/model/merges/3", R"("a")", {"model.merges", "two tokens"}},
      {"/model/merges/3", R"(["a", "zebra"])", {"model.merges", "zebra"}},
      {"/model/merges/3", "7", {"model.merges", "pairs"}},
      {"/model/vocab/ship", "-1", {"model.vocab.ship", "-1"}},
      {"/model/vocab/ship", "99999999", {"model.vocab.ship", "below"}},
      {"/model/vocab", "[]", {"model.vocab", "object"}},
      {"/normalizer", R"({"type": "Lowercase"})", {"normalizer.type", "Lowercase", "NFC"}},
      {"/pre_tokenizer", R"({"type": "Whitespace"})", {"pre_tokenizer.type", "Whitespace"}},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"("(")", {"pre_tokenizer", "PCRE2", "`(`"}},
      {"/pre_tokenizer/pretokenizers/0/behavior", R"("Kept")", {"behavior", "Kept", "Isolated"}},
      {"/pre_tokenizer/pretokenizers/0", R"({"type": "ByteLevel"})", {"behind ByteLevel"}},
      {"/post_processor", R"({"type": "BertProcessing"})", {"post_processor.type", "Bert"}},
      {"/post_processor/processors/1/special_tokens", "{}", {"special_tokens.<s>", "missing"}},
      {"/decoder", R"({"type": "WordPiece"})", {"decoder.type", "WordPiece"}},
      {"/added_tokens/0/id", R"("x")", {"added_tokens[0].id", "whole number"}},
      {"/added_tokens/0/content", "null", {"added_tokens[0].content", "missing"}},
      {"/added_tokens", "{}", {"added_tokens", "a list"}},
  };
  const json good = json::parse(golden_file("like_llama3"));
  for (const BadFile& bad : files) {
    json file = good;
    file[json::json_pointer(bad.pointer)] = json::parse(bad.value);
    const std::string message =
        config_error_of([&] { parse_tokenizer_json(file.dump(), "x/tokenizer.json"); });
    EXPECT_TRUE(contains(message, "x/tokenizer.json")) << message;
    for (const std::string& part : bad.parts) {
      EXPECT_TRUE(contains(message, part)) << bad.pointer << ": " << message;
    }
  }
  EXPECT_TRUE(contains(config_error_of([] { parse_tokenizer_json("{", "x"); }), "not valid JSON"));
  EXPECT_TRUE(contains(config_error_of([] { parse_tokenizer_json("[]", "x"); }), "an object"));
}

}  // namespace
}  // namespace argosy
