// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text by a tokenizer of Hugging Face, from the first step to what others read: training, going on,
// generating, exporting, and LoRA on the export, without naming the tokenizer again.
#include <cmath>
#include <fstream>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

class Text : public ProgramTest {
 protected:
  Text() {
    fs::create_directory(path("llama2"));
    fs::copy_file(fs::path(ARGOSY_SOURCE_DIR) / "tests/golden/tokenizers/like_llama2.json",
                  path("llama2/tokenizer.json"));
    write("llama2/tokenizer_config.json",
          R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"})");
    Json model = Json::parse(read("dense.json"));
    model["vocab_size"] = 448;
    write("model.json", model.dump());
    std::string rows;
    for (int i = 0; i < 60; ++i) {
      rows += R"({"text": "The ship left the harbour, and the bell rang twice."})"
              "\n";
    }
    write("rows.jsonl", rows);
  }

  static constexpr const char* kPrompt =
      " --generate 'The ship left' --temperature 0 --max-new-tokens 30";
};

TEST_F(Text, FromTheFirstStepToAnExportThatLoraStartsFrom) {
  make_plan("plan.json", "model.json", 1, "tp=1");
  const std::string train =
      "argosy-train --plan plan.json --data rows.jsonl --run-dir run --lr 1e-2 --weight-decay 0 ";
  const ProgramResult first = succeed(train + "--steps 30 --tokenizer llama2");
  EXPECT_TRUE(contains(first.out, "rows.jsonl, ")) << first.out;
  EXPECT_TRUE(contains(first.out, "; tokenizer llama2, 420 tokens")) << first.out;
  EXPECT_EQ(read("run/tokenizer/tokenizer.json"), read("llama2/tokenizer.json"));
  EXPECT_NEAR(metrics("run").front().loss, std::log(448.0), 0.3);

  // The run knows its tokenizer from here on.
  const ProgramResult resumed = succeed(train + "--steps 100 --resume auto");
  EXPECT_TRUE(contains(resumed.out, "; tokenizer run/tokenizer, 420 tokens")) << resumed.out;
  EXPECT_LT(metrics("run").back().loss, 0.3);
  const std::string expected = "The ship left the harbour, and the bell rang twice.\n";
  EXPECT_EQ(succeed(concat("argosy-train --run-dir run", kPrompt)).out, expected);

  succeed("argosy-checkpoint export-hf run hf");
  EXPECT_EQ(read("hf/tokenizer.json"), read("llama2/tokenizer.json"));
  EXPECT_EQ(succeed(concat("argosy-train --init hf --precision fp32", kPrompt)).out, expected);
  // Any of the model's tokens that end texts does; here all are.
  const std::string config = read("hf/config.json");
  Json ends_at_once = Json::parse(config);
  for (int token = 0; token < 448; ++token) ends_at_once["eos_token_id"].push_back(token);
  write("hf/config.json", ends_at_once.dump());
  const std::string ask = concat("argosy-train --init hf --precision fp32", kPrompt);
  EXPECT_EQ(succeed(ask).out, "The ship left\n");
  EXPECT_EQ(succeed(ask + " --end-of-text 447").out.substr(0, 30), expected.substr(0, 30));
  write("hf/config.json", config);

  make_plan("lora.json", "hf", 1, "tp=1", "--precision fp32 --task lora --lora-rank 2");
  write("alpaca.json", R"([{"instruction": "Go", "input": "", "output": "The ship left."}])");
  const ProgramResult lora = succeed(
      "argosy-train --plan lora.json --data alpaca.json --run-dir lora --init hf --steps 1");
  EXPECT_TRUE(contains(lora.out, "% of them learned; tokenizer hf, 420 tokens")) << lora.out;
  succeed("argosy-checkpoint export-adapter lora adapter");
  EXPECT_EQ(read("adapter/tokenizer.json"), read("llama2/tokenizer.json"));
}

// Conversations are learned, and asked as they were written.
TEST_F(Text, AChatIsLearnedAndAsked) {
  write(
      "llama2/chat_template.jinja",
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% else %} "
      "{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}");
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    rows += R"({"messages": [{"role": "user", "content": "when?"}, )"
            R"({"role": "assistant", "content": "at dawn"}, )"
            R"({"role": "user", "content": "how?"}, )"
            R"({"role": "assistant", "content": "by wind"}]})"
            "\n";
  }
  write("chats.jsonl", rows);
  make_plan("plan.json", "model.json", 1, "tp=1");
  const ProgramResult run = succeed(
      "argosy-train --plan plan.json --data chats.jsonl --run-dir run --lr 1e-2 --weight-decay 0 "
      "--steps 40 --tokenizer llama2");
  EXPECT_TRUE(contains(run.out, "% of them learned")) << run.out;
  // Rows are documents: no token need be named that ends one, and </s> ends none.
  const std::string train =
      "argosy-train --plan plan.json --data chats.jsonl --steps 1 --tokenizer llama2 "
      "--document-mask --checkpoint-every 0 --run-dir ";
  succeed(train + "rows");
  succeed(train + "tokens --end-of-text 2");
  EXPECT_NE(metrics("rows").back().loss, metrics("tokens").back().loss);
  const std::string ask = "argosy-train --run-dir run --temperature 0 --generate 'when?' ";
  EXPECT_EQ(succeed(ask + "--chat").out, " at dawn\n");
  EXPECT_EQ(succeed(ask + "--max-new-tokens 1").out.substr(0, 5), "when?");
  const ProgramResult bytes = shell(ask + "--chat --tokenizer bytes");
  EXPECT_EQ(bytes.exit_code, kExitUserError);
  EXPECT_TRUE(contains(bytes.err, "--chat: text is read as bytes")) << bytes.err;
}

TEST_F(Text, TokensAreWrittenOnceForAllRuns) {
  const ProgramResult written =
      succeed("argosy-train --tokenize rows.bin --data rows.jsonl --tokenizer llama2");
  EXPECT_TRUE(contains(written.out, "rows.bin: ")) << written.out;
  EXPECT_TRUE(contains(written.out, " of 16 bits")) << written.out;
  make_plan("plan.json", "model.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --steps 2 --checkpoint-every 0 ";
  succeed(train + "--data rows.jsonl --tokenizer llama2 --run-dir text");
  succeed(train + "--data rows.bin --run-dir tokens");
  EXPECT_EQ(metrics("text").back().loss, metrics("tokens").back().loss);
}

TEST_F(Text, MistakesAreToldBeforeAnythingIsWritten) {
  const auto expect_mistake = [&](const std::string& line, const std::vector<std::string>& parts) {
    const ProgramResult result = shell("argosy-train " + line);
    EXPECT_EQ(result.exit_code, kExitUserError) << line;
    for (const std::string& part : parts) EXPECT_TRUE(contains(result.err, part)) << result.err;
  };
  make_plan("plan.json", "model.json", 1, "tp=1");
  const std::string train = "--plan plan.json --data rows.jsonl --run-dir run --steps 1 ";
  expect_mistake(train + "--tokenizer none", {"--tokenizer", "none", "tokenizer.json"});
  make_plan("small.json", "dense.json", 1, "tp=1");
  expect_mistake("--plan small.json --data rows.jsonl --run-dir run --steps 1 --tokenizer llama2",
                 {"--data", "vocab_size is 258", "tokenizer"});
  EXPECT_FALSE(fs::exists(path("run")));
  expect_mistake("--tokenize a.bin", {"missing: --data"});
  expect_mistake("--tokenize a.bin --data rows.jsonl", {"--tokenizer FOLDER"});
  expect_mistake("--tokenize a.bin --data plan.bin --tokenizer llama2", {"--data", ".jsonl"});
  expect_mistake("--tokenize plan.json --data rows.jsonl --tokenizer llama2", {"exists"});
  write("pairs.jsonl", R"({"prompt": "a", "completion": "b"})");
  expect_mistake("--tokenize a.bin --data pairs.jsonl --tokenizer llama2",
                 {"3 of 5 tokens", "not to be learned"});
  EXPECT_FALSE(fs::exists(path("a.bin")));
  expect_mistake("--tokenize none/a.bin --data rows.jsonl --tokenizer llama2",
                 {"--tokenize", "there is no folder"});
}

// What another tokenizer has left in a run's folder may be somebody's own: it is kept aside, and a
// new run does not read with it.
TEST_F(Text, AnotherTokenizerInTheRunFolderIsSetAside) {
  make_plan("plan.json", "model.json", 1, "tp=1");
  fs::create_directories(path("run/tokenizer"));
  write("run/tokenizer/tokenizer.json", "somebody's");
  const std::string train =
      "argosy-train --plan plan.json --data rows.jsonl --run-dir run --checkpoint-every 1 ";
  succeed(train + "--steps 1 --tokenizer llama2");
  EXPECT_EQ(read("run/tokenizer.1/tokenizer.json"), "somebody's");
  EXPECT_EQ(read("run/tokenizer/tokenizer.json"), read("llama2/tokenizer.json"));
  succeed(train + "--steps 2 --resume auto --tokenizer llama2");
  EXPECT_FALSE(fs::exists(path("run/tokenizer.2")));  // the same as the one that is there
  fs::remove_all(path("run/checkpoints"));
  const ProgramResult bytes = succeed(train + "--steps 1");
  EXPECT_TRUE(contains(bytes.out, "; bytes")) << bytes.out;
  EXPECT_FALSE(fs::exists(path("run/tokenizer")));
  EXPECT_TRUE(fs::exists(path("run/tokenizer.2")));
}

// A model of a real tokenizer, and no tokenizer: most likely not what was meant.
TEST_F(Text, BytesOfAModelWithManyTokensAreTold) {
  Json model = Json::parse(read("model.json"));
  model["vocab_size"] = 5000;
  write("model.json", model.dump());
  make_plan("plan.json", "model.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --data rows.jsonl --steps 1 ";
  EXPECT_TRUE(contains(succeed(train + "--run-dir a").out, "258 of the model's 5,000 tokens"));
  EXPECT_FALSE(contains(succeed(train + "--run-dir b --tokenizer bytes").out, "5,000 tokens:"));
}

}  // namespace
}  // namespace argosy
