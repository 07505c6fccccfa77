// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "planner/spec/check.h"
#include "tests/support/texts.h"

namespace argosy {
namespace {

constexpr int64_t kVocabSize = 300;

// A folder for the files of one test, removed with it.
class DatasetTest : public testing::Test {
 protected:
  DatasetTest()
      : folder_(std::filesystem::temp_directory_path() /
                concat("argosy_dataset_", ::getpid(), "_",
                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
  }
  ~DatasetTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  // llm.c's file: header of 256 int32, then the tokens.
  template <typename Token>
  std::filesystem::path write_bin(const std::string& name, int32_t magic, int32_t version,
                                  int32_t count, const std::vector<Token>& tokens) const {
    std::vector<int32_t> header(256);
    header[0] = magic, header[1] = version, header[2] = count;
    std::string content(reinterpret_cast<const char*>(header.data()), 1024);
    content.append(reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(Token));
    return write(name, content);
  }

  std::filesystem::path folder_;
};

std::vector<int32_t> tokens_of(const TokenSource& source) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < source.num_tokens(); ++i) tokens.push_back(source.token(i));
  return tokens;
}

std::string targets_of(const TokenSource& source) {
  std::string marks;
  for (int64_t i = 0; i < source.num_tokens(); ++i) marks += source.is_target(i) ? 'T' : '.';
  return marks;
}

void expect_contains(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
  }
}

TEST_F(DatasetTest, TextIsItsBytes) {
  const auto source = open_tokens(write("a.txt", "Hi\xff\n"), kVocabSize);
  EXPECT_EQ(tokens_of(*source), (std::vector<int32_t>{'H', 'i', 255, '\n'}));
  EXPECT_EQ(targets_of(*source), "TTTT");
  EXPECT_EQ(source->max_token(), 255);
}

TEST_F(DatasetTest, BinOf16And32Bits) {
  const auto path16 = write_bin<uint16_t>("a.bin", 20240520, 1, 3, {7, 65535, 0});
  EXPECT_EQ(tokens_of(*open_tokens(path16, 65536)), (std::vector<int32_t>{7, 65535, 0}));
  const auto path32 = write_bin<uint32_t>("b.bin", 20240801, 7, 3, {7, 128255, 1});
  EXPECT_EQ(tokens_of(*open_tokens(path32, 128256)), (std::vector<int32_t>{7, 128255, 1}));
  // By content where the name says nothing.
  const auto unnamed = write_bin<uint16_t>("shard", 20240520, 1, 1, {5});
  EXPECT_EQ(tokens_of(*open_tokens(unnamed, 6)), (std::vector<int32_t>{5}));
}

// As Megatron-LM's preprocess_data.py writes them.
template <typename Number>
void append(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string megatron_index(uint8_t type, const std::vector<int32_t>& lengths, int64_t token_bytes) {
  std::string bytes("MMIDIDX\0\0", 9);
  append<uint64_t>(bytes, 1);
  append<uint8_t>(bytes, type);
  append<uint64_t>(bytes, lengths.size());
  append<uint64_t>(bytes, lengths.size() + 1);
  for (const int32_t length : lengths) append<int32_t>(bytes, length);
  int64_t offset_bytes = 0;
  for (const int32_t length : lengths) {
    append<int64_t>(bytes, offset_bytes);
    offset_bytes += length * token_bytes;
  }
  for (size_t i = 0; i <= lengths.size(); ++i) append<int64_t>(bytes, static_cast<int64_t>(i));
  return bytes;
}

TEST_F(DatasetTest, MegatronsTokensAndIndex) {
  std::string narrow, wide;
  for (const int token : {7, 65535, 0}) append<uint16_t>(narrow, static_cast<uint16_t>(token));
  for (const int token : {7, 128255, 1}) append<int32_t>(wide, token);
  const auto path16 = write("n.bin", narrow), path32 = write("w.bin", wide);
  write("n.idx", megatron_index(8, {2, 1}, 2));
  const auto index32 = write("w.idx", megatron_index(4, {1, 0, 2}, 4));
  EXPECT_EQ(tokens_of(*open_tokens(path16, 65536)), (std::vector<int32_t>{7, 65535, 0}));
  EXPECT_EQ(tokens_of(*open_tokens(path32, 128256)), (std::vector<int32_t>{7, 128255, 1}));
  EXPECT_EQ(tokens_of(*open_tokens(index32, 128256)), (std::vector<int32_t>{7, 128255, 1}));

  // Named as Megatron-LM names it; a dot in it begins no extension.
  write("v1.0_text.bin", narrow);
  write("v1.0_text.idx", megatron_index(8, {2, 1}, 2));
  EXPECT_EQ(tokens_of(*open_tokens(folder_ / "v1.0_text", 65536)),
            (std::vector<int32_t>{7, 65535, 0}));
  // Its sequences are rows, but only for those who ask for rows.
  EXPECT_EQ(open_tokens(path16, 65536)->row_begins(), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(open_tokens(index32, 128256)->row_begins(), (std::vector<int64_t>{0, 1}));
  EXPECT_FALSE(open_tokens(path16, 65536)->knows_documents());

  const auto expect_mistake = [&](const std::string& index, const std::vector<std::string>& parts) {
    write("n.idx", index);
    expect_contains(config_error_of([&] { open_tokens(path16, 65536); }), parts);
  };
  expect_mistake(megatron_index(8, {2, 2}, 2), {"n.bin", "6 bytes", "n.idx", "4 tokens"});
  expect_mistake(megatron_index(5, {2, 1}, 8), {"n.idx", "token type 5", "uint16"});
  expect_mistake(megatron_index(8, {-1}, 2), {"n.idx", "sequence 0 has -1 tokens"});
  expect_mistake(megatron_index(8, {2, 1}, 2).substr(0, 40), {"n.idx", "40 bytes", "2 sequences"});
  expect_mistake("nothing", {"n.idx", "MMIDIDX"});
  write("n.idx", megatron_index(8, {2, 1}, 2));
  expect_contains(config_error_of([&] { open_tokens(path16, 65535); }), {"token 65535"});
  append<int32_t>(wide, -1);
  write("w.bin", wide);
  write("w.idx", megatron_index(4, {4}, 4));
  expect_contains(config_error_of([&] { open_tokens(path32, 128256); }), {"w.bin", "vocab_size"});
}

TEST_F(DatasetTest, JsonlTrainsOnCompletionsAlone) {
  const auto path = write("a.jsonl",
                          "{\"prompt\": \"2+2\", \"completion\": \"=4\", \"id\": 9}\r\n"
                          "\n"
                          "{\"text\": \"a\\u00e9\"}");
  const auto source = open_tokens(path, kVocabSize);
  EXPECT_EQ(tokens_of(*source),
            (std::vector<int32_t>{'2', '+', '2', '=', '4', 256, 'a', 0xc3, 0xa9, 256}));
  EXPECT_EQ(targets_of(*source), "...TTTTTTT");
}

// What `datasets` writes by to_json(): prompts masked in the labels, padding in the mask. The first
// token of a row follows from nothing, not from the row before.
TEST_F(DatasetTest, JsonlOfTokensTrainsOnLabels) {
  const auto path = write("a.jsonl",
                          "{\"input_ids\": [5, 9, 7, 8], \"labels\": [-100, -100, 7, 8]}\n"
                          "{\"input_ids\": [9, 4, 0, 0], \"attention_mask\": [1, 1, 0, 0], "
                          "\"labels\": [9, 4, -100, -100]}\n"
                          "{\"input_ids\": [1, 2]}\n");
  const auto source = open_tokens(path, 10);  // no bytes: any vocabulary
  EXPECT_EQ(tokens_of(*source), (std::vector<int32_t>{5, 9, 7, 8, 9, 4, 1, 2}));
  EXPECT_EQ(targets_of(*source), "..TT.T.T");
  EXPECT_FALSE(source->is_text());
  expect_contains(config_error_of([&] { open_tokens(path, 9); }), {"token 9", "vocab_size is 9"});
}

TEST_F(DatasetTest, ListsAreReadAsLines) {
  const std::string first = R"({"text": "a, [\"{", "of": [1, {}]})";
  const std::string second = R"({"prompt": "b", "completion": "c\\"})";
  const auto lines = open_tokens(write("a.jsonl", first + "\n" + second), kVocabSize);
  const auto list =
      open_tokens(write("a.json", "\n[" + first + " ,\n" + second + "\n]\n"), kVocabSize);
  EXPECT_EQ(tokens_of(*list), tokens_of(*lines));
  EXPECT_EQ(targets_of(*list), targets_of(*lines));
  EXPECT_EQ(targets_of(*list), "TTTTTTT.TTT");
}

TEST_F(DatasetTest, AlpacasRowsAskForTheirOutput) {
  const auto source =
      open_tokens(write("a.json", R"([{"instruction": "Add", "input": "1 2", "output": "3"},)"
                                  R"( {"instruction": "Say hi", "input": "", "output": "hi"}])"),
                  kVocabSize);
  const std::string targets = targets_of(*source);
  EXPECT_EQ(std::count(targets.begin(), targets.end(), 'T'), 2 + 3);  // outputs and their ends
  std::vector<int32_t> tokens = tokens_of(*source);
  const std::string text = Tokenizer::of_bytes().decode(tokens);
  expect_contains(text, {"### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n3Below",
                         "### Instruction:\nSay hi\n\n### Response:\nhi"});
}

// What a mask of documents needs: where rows begin, whatever tokens they end with.
TEST_F(DatasetTest, RowsAreDocuments) {
  const auto source = open_tokens(write("a.jsonl",
                                        "{\"text\": \"ab\"}\n{\"text\": \"\"}\n"
                                        "{\"text\": \"c\"}\n"),
                                  kVocabSize);
  std::string begins;
  for (int64_t i = 0; i < source->num_tokens(); ++i)
    begins += source->begins_document(i) ? 'B' : '.';
  EXPECT_EQ(begins, "B..BB.");
  ASSERT_TRUE(source->knows_documents());
  EXPECT_EQ(source->row_begins(), (std::vector<int64_t>{0, 3, 4}));
  const SampleOrder order(source->num_tokens(), 5, 0, "a.jsonl");
  const Batch batch = read_batch(*source, order, 1, 0, 1, 5, 1);
  EXPECT_EQ(batch.begins_document, (std::vector<bool>{true, false, false, true, true}));
  EXPECT_EQ(batch.ends_document, (std::vector<bool>{false, false, true, true, false}));
  EXPECT_FALSE(open_tokens(write("a.txt", "ab"), kVocabSize)->knows_documents());
}

// Any number of threads, and rows enough for each to read several parts.
TEST_F(DatasetTest, RowsKeepTheirOrder) {
  std::string lines, expected;
  for (int i = 0; i < 1000; ++i) {
    lines += concat("{\"text\": \"", i, "\"}\n");
    expected += std::to_string(i);
  }
  const auto path = write("a.jsonl", lines);
  const auto source = open_tokens(path, kVocabSize);
  EXPECT_EQ(Tokenizer::of_bytes().decode(tokens_of(*source)), expected);
  const auto broken = write("b.jsonl", lines + "{\n" + lines + "[\n");
  expect_contains(config_error_of([&] { open_tokens(broken, kVocabSize); }), {"line 1001:"});
}

class TokenizedTest : public DatasetTest {
 protected:
  TokenizedTest() {
    take("like_llama3.json");
    write("tokenizer_config.json", R"({"eos_token": "<|end|>", "bos_token": "<s>"})");
    tokenizer_ = read_tokenizer(folder_);
    vocab_size_ = tokenizer_.tokenizer.num_tokens();
  }
  void take(const char* kind) const {
    const std::string golden = std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/tokenizers/";
    std::filesystem::copy_file(golden + kind, folder_ / "tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
  }
  int32_t id(const char* text) const { return tokenizer_.tokenizer.id_of(text); }
  std::vector<int32_t> part(std::string_view text) const {
    std::vector<int32_t> tokens;
    TextEncoder(tokenizer_.tokenizer).append(text, tokens);
    return tokens;
  }
  TokenizerFolder tokenizer_;
  int64_t vocab_size_ = 0;
};

TEST_F(TokenizedTest, TextsAreSurroundedAndEnded) {
  const auto source =
      open_tokens(write("a.jsonl", R"({"text": "the ship"})"), vocab_size_, tokenizer_);
  std::vector<int32_t> expected = {id("<s>")};
  for (const int32_t token : part("the ship")) expected.push_back(token);
  expected.push_back(id("<|end|>"));
  EXPECT_EQ(tokens_of(*source), expected);
  EXPECT_TRUE(source->is_text());
}

TEST_F(TokenizedTest, PromptsAndCompletionsAreReadApart) {
  const auto source = open_tokens(write("a.jsonl", R"({"prompt": "the sh", "completion": "ip"})"),
                                  vocab_size_, tokenizer_);
  std::vector<int32_t> expected = {id("<s>")};
  for (const int32_t token : part("the sh")) expected.push_back(token);
  const size_t num_masked = expected.size();
  for (const int32_t token : part("ip")) expected.push_back(token);
  expected.push_back(id("<|end|>"));
  EXPECT_EQ(tokens_of(*source), expected);
  EXPECT_EQ(targets_of(*source),
            std::string(num_masked, '.') + std::string(expected.size() - num_masked, 'T'));
}

// A template of ChatML's kind.
class ChatTest : public TokenizedTest {
 protected:
  ChatTest() {
    write("chat_template.jinja",
          "{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n"
          "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}");
    tokenizer_ = read_tokenizer(folder_);
  }
  // The text of a row, what is learned of it between ( and ).
  std::string read(const std::string& row) const {
    const auto source = open_tokens(write("a.jsonl", row), vocab_size_, tokenizer_);
    std::string text;
    bool was_target = false;
    for (int64_t i = 0; i < source->num_tokens(); ++i) {
      if (source->is_target(i) != was_target) text += was_target ? ")" : "(";
      was_target = source->is_target(i);
      const int32_t token = source->token(i);
      const std::string special = tokenizer_.tokenizer.rules().texts[static_cast<size_t>(token)];
      text += special.starts_with('<') ? special : tokenizer_.tokenizer.decode({{token}});
    }
    return text + (was_target ? ")" : "");
  }
  std::string error(const std::string& row) const {
    return config_error_of([&] { read(row); });
  }
};

TEST_F(ChatTest, WhatTheAssistantSaysIsLearned) {
  EXPECT_EQ(read(R"({"messages": [{"role": "user", "content": "the ship?"}, )"
                 R"({"role": "assistant", "content": "left"}, )"
                 R"({"role": "user", "content": "when?"}, )"
                 R"({"role": "assistant", "content": "twice"}]})"),
            "<s><|start|>user\nthe ship?<|end|>\n<|start|>assistant\n(left<|end|>)\n"
            "<|start|>user\nwhen?<|end|>\n<|start|>assistant\n(twice<|end|>)\n");
}

TEST_F(ChatTest, OtherRowsAreConversationsToo) {
  const std::string asked = "<s><|start|>user\nthe ship?<|end|>\n<|start|>assistant\n";
  EXPECT_EQ(read(R"({"conversations": [{"from": "human", "value": "the ship?"}, )"
                 R"({"from": "gpt", "value": "left"}]})"),
            asked + "(left<|end|>)\n");
  EXPECT_EQ(
      read(R"({"instruction": "the ship?", "input": null, "system": null, "output": "left"})"),
      asked + "(left<|end|>)\n");
  EXPECT_EQ(read(R"({"instruction": "the", "input": "ship?", "output": "left"})"),
            "<s><|start|>user\nthe\nship?<|end|>\n<|start|>assistant\n(left<|end|>)\n");
  // Alpaca's history, and what is learned of it: the output.
  EXPECT_EQ(read(R"({"instruction": "when?", "output": "at dawn", "system": "short", )"
                 R"("history": [["the ship?", "left"]]})"),
            "<s><|start|>system\nshort<|end|>\n<|start|>user\nthe ship?<|end|>\n"
            "<|start|>assistant\nleft<|end|>\n<|start|>user\nwhen?<|end|>\n"
            "<|start|>assistant\n(at dawn<|end|>)\n");
  EXPECT_EQ(read(R"({"prompt": [{"role": "user", "content": "the ship?"}], )"
                 R"("completion": [{"role": "assistant", "content": "left"}]})"),
            asked + "(left<|end|>)\n");
}

// Of the run and, before them, of the row; tools are no variable of their own.
TEST_F(ChatTest, TemplatesGetVariablesBesideTheConversation) {
  write("chat_template.jinja",
        "{{ mood }}{{ tools and tools[0].name }}{% for m in messages %}<|start|>{{ m.role }}\n"
        "{{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}");
  tokenizer_ = read_tokenizer(folder_);
  const std::string messages = R"({"messages": [{"role": "user", "content": "the ship?"}, )"
                               R"({"role": "assistant", "content": "left"}])";
  const std::string said = "<|start|>user\nthe ship?<|end|>\n<|start|>assistant\n(left<|end|>)\n";
  tokenizer_.chat_variables = R"({"mood": "calm"})";
  EXPECT_EQ(read(messages + "}"), "calmNone" + said);
  EXPECT_EQ(read(messages + R"(, "chat_template_kwargs": null})"), "calmNone" + said);
  EXPECT_EQ(read(messages + R"(, "chat_template_kwargs": {"mood": "wild"}})"), "wildNone" + said);
  EXPECT_EQ(read(messages + R"(, "tools": [{"name": "bell"}]})"), "calmbell" + said);
  tokenizer_.chat_variables = "";
  EXPECT_EQ(read(messages + R"(, "chat_template_kwargs": {"mood": "wild"}})"), "wildNone" + said);
  EXPECT_EQ(read(messages + "}"), "None" + said);
  expect_contains(error(messages + R"(, "chat_template_kwargs": [1]})"),
                  {"line 1", "`chat_template_kwargs`", "is array", "JSON object"});
  expect_contains(error(messages + R"(, "chat_template_kwargs": {"tools": 1}})"),
                  {"line 1", "`chat_template_kwargs`: `tools`"});
}

TEST_F(ChatTest, MistakesNameTheirPlaceInTheRow) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> rows = {
      {R"({"messages": []})", {"`messages` is empty"}},
      {R"({"messages": "a"})", {"`messages` is string"}},
      {R"({"messages": [7]})", {"`messages`[0] is number"}},
      {R"({"messages": [{"content": "a"}]})", {"`messages`[0]", "`role` is missing"}},
      {R"({"messages": [{"role": "user", "content": "a"}]})", {"line 1", "assistant"}},
      {R"({"conversations": [{"from": "bee", "value": "a"}]})",
       {"`conversations`[0]", "bee", "human"}},
      {R"({"conversations": [{"from": "gpt"}]})", {"`value` is missing"}},
      {R"({"instruction": "a", "output": "b", "history": [["a"]]})", {"`history`", "pairs"}},
      {R"({"instruction": 1, "output": "b"})", {"`instruction` is number"}},
      {R"({"messages": [{"role": "assistant", "content": "a"}], "tools": "{"})", {"`tools`"}},
      {R"({"prompt": [{"role": "user", "content": "a"}], "completion": "b"})",
       {"`completion` is string"}},
  };
  for (const auto& [row, parts] : rows) expect_contains(error(row), parts);
  write("chat_template.jinja", "{{ messages[0].content }}{{ raise_exception('no system') }}");
  tokenizer_ = read_tokenizer(folder_);
  expect_contains(error(R"({"messages": [{"role": "assistant", "content": "a"}]})"),
                  {"line 1", "chat template of", "no system"});
}

// SentencePiece puts a blank before a text: none between a prompt and its completion.
TEST_F(TokenizedTest, CompletionsGoOnFromTheirPrompts) {
  take("like_llama2.json");
  write("tokenizer_config.json", R"({"eos_token": "</s>"})");
  const TokenizerFolder llama2 = read_tokenizer(folder_);
  const auto source = open_tokens(write("a.jsonl", R"({"prompt": "the sh", "completion": "ip"})"),
                                  llama2.tokenizer.num_tokens(), llama2);
  EXPECT_EQ(llama2.tokenizer.decode(tokens_of(*source)), "the ship");
}

TEST_F(TokenizedTest, RawTextIsReadAsItIs) {
  const auto source = open_tokens(write("a.txt", "the ship<|end|>\n"), vocab_size_, tokenizer_);
  EXPECT_EQ(tokens_of(*source), part("the ship<|end|>\n"));
  EXPECT_EQ(targets_of(*source), std::string(static_cast<size_t>(source->num_tokens()), 'T'));
}

TEST_F(TokenizedTest, ErrorsSayWhichTextAndWhichTokenizer) {
  const auto text = write("a.jsonl", R"({"text": "the ship"})");
  expect_contains(config_error_of([&] { open_tokens(text, 300, tokenizer_); }),
                  {"vocab_size is 300", "tokenizer"});
  const auto broken = write("b.txt", "ship\xff");
  expect_contains(config_error_of([&] { open_tokens(broken, vocab_size_, tokenizer_); }),
                  {"b.txt", "byte 4", "UTF-8"});
  tokenizer_.end_of_text = -1;
  expect_contains(config_error_of([&] { open_tokens(text, vocab_size_, tokenizer_); }),
                  {"line 1", "eos_token", "--end-of-text"});
}

TEST_F(DatasetTest, ErrorsNameFileAndReason) {
  const std::string megatron(2000, 'x');
  struct Case {
    std::filesystem::path path;
    int64_t vocab_size;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases = {
      {folder_ / "none.txt", kVocabSize, {"none.txt", "No such file"}},
      {folder_, kVocabSize, {"not a regular file"}},
      {write("empty.txt", ""), kVocabSize, {"empty.txt", "is empty"}},
      {write("blank.jsonl", "\n \n"), kVocabSize, {"blank.jsonl", "is empty"}},
      {write("a.parquet", "PAR1"), kVocabSize, {"a.parquet", "unknown format", ".jsonl"}},
      {write("a.txt", "text"), 257, {"a.txt", "258", "vocab_size is 257"}},
      {write("m.bin", megatron), kVocabSize, {"m.bin", "magic", "20240520"}},
      {write("short.bin", "ab"), kVocabSize, {"short.bin", "magic is 0"}},
      {write_bin<uint16_t>("v.bin", 20240520, 2, 1, {1}), kVocabSize, {"v.bin", "version is 2"}},
      {write_bin<uint16_t>("n.bin", 20240520, 1, -4, {1}), kVocabSize, {"n.bin", "-4 tokens"}},
      {write_bin<uint16_t>("c.bin", 20240520, 1, 9, {1, 2}),
       kVocabSize,
       {"c.bin", "1028 bytes", "9 tokens", "1042 bytes"}},
      {write_bin<uint16_t>("t.bin", 20240520, 1, 2, {1, 300}),
       kVocabSize,
       {"t.bin", "token 300", "vocab_size is 300"}},
      {write_bin<uint32_t>("u.bin", 20240801, 7, 1, {0xffffffffu}),
       kVocabSize,
       {"u.bin", "vocab_size is 300"}},
      {write("j.jsonl", "{\"text\": \"a\"}\n{\"text\": \n"),
       kVocabSize,
       {"j.jsonl", "line 2", "not valid JSON"}},
      {write("k.jsonl", "\n{\"prompt\": \"a\"}\n"),
       kVocabSize,
       {"k.jsonl", "line 2", "`completion`"}},
      {write("l.jsonl", "{\"text\": 3}"), kVocabSize, {"line 1", "`text` is number"}},
      {write("o.jsonl", "\n3"), kVocabSize, {"line 2", "is number"}},
      {write("o2.jsonl", "[{\"text\": \"a\"}, 1]"), kVocabSize, {"item 2", "is number"}},
      {write("o3.json", "[{\"text\": \"]\"}"), kVocabSize, {"o3.json", "list does not end"}},
      {write("o4.json", "[] []"), kVocabSize, {"o4.json", "text behind its list"}},
      {write("o5.json", "[{\"text\": \"a\"},, 1]"), kVocabSize, {"item 2", "not valid JSON"}},
      {write("o6.json", " []"), kVocabSize, {"o6.json", "is empty"}},
      {write("p.jsonl", "{\"messages\": []}"),
       kVocabSize,
       {"line 1", "read as bytes", "chat_template"}},
      {write("p2.jsonl", "{\"answer\": 1}"), kVocabSize, {"no key that is known", "`text`"}},
      {write("p3.jsonl", "{\"instruction\": \"a\"}"), kVocabSize, {"no `output`"}},
      {write("q.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1]}"),
       kVocabSize,
       {"line 1", "`labels` must be a list of 2 numbers"}},
      {write("r.jsonl", "{\"input_ids\": [1, 2], \"labels\": [2, -100]}"),
       kVocabSize,
       {"line 1", "`labels`[0] is 2, but `input_ids`[0] is 1", "-100"}},
      {write("s.jsonl", "{\"input_ids\": [1, -2]}"), kVocabSize, {"`input_ids`[1] is -2"}},
      {write("s2.jsonl", "{\"input_ids\": [1, 2.5]}"), kVocabSize, {"`input_ids`[1] is 2.5"}},
      {write("x.jsonl", "{\"input_ids\": [1]}\n{\"text\": \"a\"}"),
       kVocabSize,
       {"line 2", "in one file"}},
      {write("y.jsonl", "{\"input_ids\": [1], \"text\": \"a\"}"),
       kVocabSize,
       {"`text` and `input_ids`"}},
  };
  for (const Case& bad : cases) {
    SCOPED_TRACE(bad.path);
    expect_contains(config_error_of([&] { open_tokens(bad.path, bad.vocab_size); }), bad.parts);
  }
}

}  // namespace
}  // namespace argosy
