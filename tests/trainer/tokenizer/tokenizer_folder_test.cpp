// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/tokenizer/tokenizer_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/texts.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = fs::path(ARGOSY_SOURCE_DIR) / "tests/golden/tokenizers";

// A folder for the files of one test, removed with it.
class TokenizerFolderTest : public testing::Test {
 protected:
  TokenizerFolderTest()
      : folder_(fs::temp_directory_path() /
                concat("argosy_tokenizer_", ::getpid(), "_",
                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(folder_);
  }
  ~TokenizerFolderTest() override { fs::remove_all(folder_); }

  void take(const char* kind) const {
    fs::copy_file(kGolden / (std::string(kind) + ".json"), folder_ / "tokenizer.json",
                  fs::copy_options::overwrite_existing);
  }
  void write(const char* name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  void expect_mistake(const std::vector<std::string>& parts) const {
    const std::string message = config_error_of([&] { read_tokenizer(folder_); });
    for (const std::string& part : parts) EXPECT_TRUE(contains(message, part)) << message;
  }

  fs::path folder_;
};

TEST_F(TokenizerFolderTest, ConfigurationSaysWhichTokensAreSpecial) {
  take("like_qwen2");
  write("tokenizer_config.json",
        R"({"bos_token": null, "eos_token": {"content": "<|end|>", "lstrip": false},
            "chat_template": "a template"})");
  const TokenizerFolder read = read_tokenizer(folder_);
  EXPECT_EQ(read.folder, folder_);
  EXPECT_EQ(read.end_of_text, read.tokenizer.id_of("<|end|>"));
  EXPECT_EQ(read.specials, (std::map<std::string, std::string>{{"eos_token", "<|end|>"}}));
  EXPECT_EQ(read.chat_template, "a template");
  EXPECT_EQ(read_tokenizer(folder_ / "tokenizer.json").end_of_text, read.end_of_text);
}

TEST_F(TokenizerFolderTest, OtherFilesSayWhatTheConfigurationDoesNot) {
  take("like_qwen2");
  EXPECT_EQ(read_tokenizer(folder_).end_of_text, -1);
  write("config.json", R"({"model_type": "qwen2", "eos_token_id": [7, 8]})");
  EXPECT_EQ(read_tokenizer(folder_).end_of_text, 7);
  write("special_tokens_map.json", R"({"eos_token": "<|start|>"})");
  EXPECT_EQ(read_tokenizer(folder_).end_of_text,
            read_tokenizer(folder_).tokenizer.id_of("<|start|>"));
  write("tokenizer_config.json",
        R"({"eos_token": "<|end|>",
            "chat_template": [{"name": "rag", "template": "b"}, {"name": "default", "template": "c"}]})");
  const TokenizerFolder read = read_tokenizer(folder_);
  EXPECT_EQ(read.end_of_text, read.tokenizer.id_of("<|end|>"));
  EXPECT_EQ(read.chat_template, "c");
  write("chat_template.jinja", "d");
  EXPECT_EQ(read_tokenizer(folder_).chat_template, "d");
}

// transformers' LlamaTokenizerFast writes its own post-processor, whatever the file has:
// like_llama2 has <s> before and </s> behind.
// A number, a list, or nothing.
TEST(EndTokens, OfAModelsConfiguration) {
  const auto ends = [](const std::string& config) {
    return end_tokens_of_config(config, "config.json");
  };
  EXPECT_EQ(ends(R"({"eos_token_id": 7})"), (std::vector<int32_t>{7}));
  EXPECT_EQ(ends(R"({"eos_token_id": [128001, 8]})"), (std::vector<int32_t>{128001, 8}));
  for (const char* nothing : {"{}", R"({"eos_token_id": null})", R"({"eos_token_id": []})"}) {
    EXPECT_TRUE(ends(nothing).empty()) << nothing;
  }
  for (const char* wrong : {R"({"eos_token_id": "</s>"})", R"({"eos_token_id": [7, -1]})"}) {
    const std::string error = config_error_of([&] { ends(wrong); });
    EXPECT_TRUE(contains(error, "config.json") && contains(error, "eos_token_id")) << error;
  }
}

TEST_F(TokenizerFolderTest, LlamasConfigurationSurroundsTexts) {
  take("like_llama2");
  const auto ends_of = [&](const char* config) {
    write("tokenizer_config.json", config);
    const TokenizerRules rules = read_tokenizer(folder_).tokenizer.rules();
    return std::pair(rules.prefix, rules.suffix);
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(ends_of(R"({"bos_token": "<s>", "eos_token": "</s>"})"), std::pair(Ids{1}, Ids{2}));
  EXPECT_EQ(
      ends_of(R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"})"),
      std::pair(Ids{1}, Ids{}));
  EXPECT_EQ(ends_of(R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>",
                        "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true})"),
            std::pair(Ids{}, Ids{2}));
}

// GPT-2's older files give what its tokenizer.json gives.
TEST_F(TokenizerFolderTest, VocabularyAndMergesOfTheirOwn) {
  std::ifstream file(kGolden / "like_gpt2.json");
  const json model = json::parse(file)["model"];
  json vocab = model["vocab"];
  vocab["<|endoftext|>"] = vocab.size();
  write("vocab.json", vocab.dump());
  std::string merges = "#version: 0.2\n";
  for (const json& merge : model["merges"]) {
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  }
  write("merges.txt", merges);
  EXPECT_TRUE(has_tokenizer(folder_));
  const TokenizerFolder read = read_tokenizer(folder_);
  std::ifstream golden(kGolden / "cases.json");
  const json cases = json::parse(golden)["like_gpt2"];
  int64_t num_compared = 0;
  for (const json& one : cases) {
    const std::string text = one["text"].get<std::string>();
    if (contains(text, "<|end|>")) continue;  // that file's own token
    EXPECT_EQ(encode(read.tokenizer, text), one["ids"].get<std::vector<int32_t>>()) << text;
    ++num_compared;
  }
  EXPECT_GT(num_compared, 15);
  const int32_t end = static_cast<int32_t>(vocab.size()) - 1;
  EXPECT_EQ(encode(read.tokenizer, "<|endoftext|>"), std::vector<int32_t>{end});
  write("merges.txt", "#version: 0.2\nt h extra\n");
  expect_mistake({"merges.txt line 2", "two tokens"});
}

TEST_F(TokenizerFolderTest, MistakesNameTheFile) {
  EXPECT_FALSE(has_tokenizer(folder_));
  expect_mistake({folder_.string(), "tokenizer.json", "merges.txt"});
  write("tokenizer.model", "x");
  expect_mistake({"tokenizer.model is not supported", "save_pretrained"});
  take("like_qwen2");
  write("tokenizer_config.json", R"({"eos_token": "<none>"})");
  expect_mistake({"tokenizer_config.json", "eos_token", "<none>"});
  write("tokenizer_config.json", R"({"eos_token": 3})");
  expect_mistake({"tokenizer_config.json", "eos_token", "3"});
  write("tokenizer_config.json", "{");
  expect_mistake({"tokenizer_config.json", "not valid JSON"});
}

TEST_F(TokenizerFolderTest, KnowsItsFiles) {
  take("like_qwen2");
  write("chat_template.jinja", "x");
  write("model.safetensors", "x");
  write("config.json", "{}");
  EXPECT_EQ(tokenizer_files(folder_),
            (std::vector<fs::path>{folder_ / "tokenizer.json", folder_ / "chat_template.jinja"}));
}

}  // namespace
}  // namespace argosy
