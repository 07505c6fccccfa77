// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows as samples in whole jobs: the same losses on one rank and on two with micro-batches, going
// on as if nothing had happened, held-out rows packed alike, and files that have no rows. What a
// chat template is given beside the conversation is kept with the run too.
#include <cmath>
#include <fstream>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackings[] = {"stream", "none", "best-fit"};

class PackingJobs : public ProgramTest {
 protected:
  PackingJobs() {
    write("short.jsonl", pairs(40, 7));   // at most 14 tokens each
    write("mixed.jsonl", pairs(40, 40));  // some longer than the 16 of a sample
    make_plan("one.json", "dense.json", 1, "dp=1,micro_batch=4", "--precision fp64");
    make_plan("two.json", "dense.json", 2, "dp=2,micro_batch=2", "--precision fp64");
  }

  // Rows of a prompt of 3 to 6 letters and a completion of up to `most`, and the end.
  static std::string pairs(int count, int most) {
    std::string rows;
    for (int i = 0; i < count; ++i) {
      const std::string letters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
      rows += concat(R"({"prompt": ")", letters.substr(static_cast<size_t>(i % 11), 3 + i % 4),
                     R"(", "completion": ")",
                     letters.substr(static_cast<size_t>(i % 5), 1 + i * 7 % most), "\"}\n");
    }
    return rows;
  }

  ProgramResult train(const std::string& plan, const std::string& run_dir, int64_t steps,
                      const std::string& more) const {
    ProgramResult result = succeed(concat("argosy-launch --plan ", plan, " -- --run-dir ", run_dir,
                                          " --steps ", steps, " ", more));
    result.out = unwrapped(result.out);
    return result;
  }

  void expect_mistake(const std::string& line, const std::vector<std::string>& parts) const {
    const ProgramResult result = shell("argosy-train " + line);
    EXPECT_EQ(result.exit_code, kExitUserError) << line;
    for (const std::string& part : parts) EXPECT_TRUE(contains(result.err, part)) << result.err;
  }

  void expect_losses(const std::string& actual, const std::string& expected, double tolerance) {
    const auto steps = metrics(actual), others = metrics(expected);
    ASSERT_EQ(steps.size(), others.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_NEAR(steps[i].loss, others[i].loss, tolerance * others[i].loss) << actual << ' ' << i;
      EXPECT_NEAR(steps[i].grad_norm, others[i].grad_norm, tolerance * others[i].grad_norm);
    }
  }
};

TEST_F(PackingJobs, AreOneRunOnOneRankAndOnTwoAndResumedToTheBit) {
  for (const std::string packing : kPackings) {
    const std::string options = "--data mixed.jsonl --lr 1e-2 --packing " + packing;
    const ProgramResult one = train("one.json", packing + "1", 4, options);
    train("two.json", packing + "2", 4, options);
    expect_losses(packing + "2", packing + "1", 1e-12);
    const std::string rows = packing == "stream" ? "cut from the stream of rows" : "40 rows in ";
    EXPECT_TRUE(contains(one.out, rows)) << one.out;

    // Whoever goes on need not say it again.
    train("two.json", packing + "3", 2, options);
    train("two.json", packing + "3", 3, "--data mixed.jsonl --lr 1e-2 --resume auto");
    train("two.json", packing + "3", 4, "--data mixed.jsonl --lr 1e-2 --resume auto");
    expect_losses(packing + "3", packing + "2", 0);
    EXPECT_TRUE(contains(read(packing + "3/run.cfg"), "packing = " + packing + "\n"));
  }
  EXPECT_NE(metrics("none1").front().loss, metrics("best-fit1").front().loss);
}

TEST_F(PackingJobs, TheStartSaysHowFullSamplesAreAndWhatWasCut) {
  // 3 + 5 + 1, 18 + 1 + 1 and 2 + 1 + 1 tokens, and 3 of 16.
  write("rows.jsonl", R"({"prompt": "abc", "completion": "defgh"})"
                      "\n"
                      R"({"prompt": "abcdefghijklmnopqr", "completion": "s"})"
                      "\n"
                      R"({"prompt": "ab", "completion": "c"})");
  const auto samples = [&](const std::string& packing) {
    const std::string run_dir = "run" + packing;
    return train("one.json", run_dir, 1, "--data rows.jsonl --packing " + packing).out;
  };
  const std::string none = samples("none"), best_fit = samples("best-fit");
  EXPECT_TRUE(contains(none,
                       "samples  3 rows in 3 of 16 tokens, 60.4% full, 1 row cut, 4 tokens "
                       "dropped, 8 tokens learned\n"))
      << none;
  EXPECT_TRUE(contains(best_fit,
                       "samples  3 rows in 3 of 16 tokens, 70.8% full, 1 row cut into 2 pieces, "
                       "10 tokens learned\n"))
      << best_fit;
  // What is learned is said of what rows keep, and of the file where all of it is read.
  EXPECT_TRUE(contains(best_fit, "data     rows.jsonl, 33 tokens; bytes")) << best_fit;
  const std::string stream = train("one.json", "cut", 1, "--data rows.jsonl").out;
  EXPECT_TRUE(contains(stream, "data     rows.jsonl, 33 tokens, 30% of them learned; bytes"))
      << stream;
}

// Rows of a sample do not see each other: their mean loss is that of rows alone. Held-out rows are
// packed as those of the training.
TEST_F(PackingJobs, EvaluationPacksAlike) {
  const std::string options =
      "--data mixed.jsonl --eval-data short.jsonl --eval-steps 100 --lr 0 --packing ";
  for (const std::string packing : kPackings) {
    train("two.json", packing, 1, options + packing);
  }
  const double alone = metrics("none").back().eval_loss.value_or(NAN);
  EXPECT_NEAR(*metrics("best-fit").back().eval_loss, alone, 1e-12 * alone);
  EXPECT_GT(std::abs(*metrics("stream").back().eval_loss - alone), 1e-6 * alone);
}

TEST_F(PackingJobs, LoraOnRowsOverStagesAndPartsOfSequences) {
  const std::string lora = "--precision fp64 --task lora --lora-rank 2";
  make_plan("lora1.json", "dense.json", 1, "micro_batch=4", lora);
  make_plan("lora4.json", "dense.json", 4, "pp=2,cp=2,dp=1,micro_batch=2", lora);
  for (const std::string packing : kPackings) {
    const std::string options = "--data mixed.jsonl --lr 1e-2 --packing " + packing;
    train("lora1.json", packing + "1", 3, options);
    train("lora4.json", packing + "4", 3, options);
    expect_losses(packing + "4", packing + "1", 1e-10);
  }
}

// Experts see padding and rows of other samples: however they are spread, to the same losses, with
// the auxiliary loss among them.
TEST_F(PackingJobs, ExpertsOnOneRankAndOnTwo) {
  make_plan("moe1.json", "moe.json", 1, "micro_batch=4", "--precision fp64");
  make_plan("ep2.json", "moe.json", 2, "dp=2,ep=2,micro_batch=2", "--precision fp64");
  make_plan("etp2.json", "moe.json", 2, "tp=2,dp=1,ep=1,etp=2,micro_batch=4", "--precision fp64");
  make_plan("cp2.json", "moe.json", 2, "cp=2,dp=1,ep=2,micro_batch=2", "--precision fp64");
  const auto compare = [&](const std::string& packing, const std::vector<std::string>& plans) {
    const std::string options =
        "--data mixed.jsonl --lr 1e-2 --router-aux-loss-coef 0.1 --checkpoint-every 0 --packing " +
        packing;
    train("moe1.json", packing + "1", 3, options);
    const auto one = metrics(packing + "1");
    for (const std::string& plan : plans) {
      train(plan + ".json", packing + plan, 3, options);
      expect_losses(packing + plan, packing + "1", 1e-12);
      const auto two = metrics(packing + plan);
      for (size_t i = 0; i < two.size(); ++i) {
        EXPECT_GT(*one[i].aux_loss, 0);
        EXPECT_NEAR(*two[i].aux_loss, *one[i].aux_loss, 1e-12) << plan << ' ' << i;
      }
    }
  };
  compare("best-fit", {"ep2", "etp2", "cp2"});
  compare("none", {"ep2"});
  EXPECT_NE(metrics("none1").front().loss, metrics("best-fit1").front().loss);
}

TEST_F(PackingJobs, AnotherPackingOfAResumeIsTold) {
  const auto go_on = [&](int64_t step, const std::string& more) {
    return train("one.json", "run", step, "--data mixed.jsonl --resume auto " + more).out;
  };
  go_on(1, "");
  EXPECT_FALSE(contains(go_on(2, "--packing stream"), " -> "));  // as it was
  EXPECT_TRUE(contains(go_on(3, "--packing none"), "packing stream -> none"));
  EXPECT_FALSE(contains(go_on(4, ""), " -> "));
}

// What llm.c's files of tokens are.
std::string llmc_file_of(const std::vector<uint16_t>& tokens) {
  std::vector<int32_t> header(256);
  header[0] = 20240520, header[1] = 1, header[2] = static_cast<int32_t>(tokens.size());
  std::string content(reinterpret_cast<const char*>(header.data()), 1024);
  return content.append(reinterpret_cast<const char*>(tokens.data()), tokens.size() * 2);
}

// A token that ends texts may stand inside of a row: of a conversation every turn ends with it.
TEST_F(PackingJobs, NoTokenEndsADocumentInsideOfARow) {
  std::string rows;
  for (int i = 0; i < 40; ++i) {
    Json ids = Json::array();
    for (int j = 0; j < 5 + i % 9; ++j) ids.push_back((i + 3 * j) % 7);
    rows += Json{{"input_ids", ids}}.dump() + "\n";
  }
  write("ids.jsonl", rows);
  const std::string data = "--data ids.jsonl --checkpoint-every 0 --packing best-fit ";
  train("one.json", "rows", 2, data);
  train("one.json", "three_ends", 2, data + "--end-of-text 3");
  expect_losses("three_ends", "rows", 0);
}

// Documents of 4 and 5 tokens, which 7 and 8 end by turns.
TEST_F(PackingJobs, TokensHaveRowsWhereATokenEndsThem) {
  std::vector<uint16_t> tokens;
  for (int i = 0; i < 60; ++i) {
    for (int j = 0; j < 3 + i % 2; ++j)
      tokens.push_back(static_cast<uint16_t>(20 + (i * 3 + j) % 50));
    tokens.push_back(i % 2 == 0 ? 7 : 8);
  }
  write("tokens.bin", llmc_file_of(tokens));
  Json model = Json::parse(read("dense.json"));
  model["eos_token_id"] = {7, 8};
  write("ended.json", model.dump());
  make_plan("ended_plan.json", "ended.json", 1, "micro_batch=4", "--precision fp64");
  const std::string data = "--data tokens.bin --checkpoint-every 0 ";
  const auto out = [&](const std::string& run_dir, const std::string& more) {
    return train("ended_plan.json", run_dir, 1, data + more).out;
  };
  EXPECT_TRUE(contains(out("both", "--packing none"), "60 rows in 60 of 16"));
  EXPECT_TRUE(contains(out("seven", "--packing none --end-of-text 7"), "31 rows in 31 of 16"));
  // Documents end with any of them, if no tokenizer says with which.
  out("masked", "--document-mask"), out("one_end", "--document-mask --end-of-text 7");
  out("unmasked", "");
  EXPECT_NE(metrics("masked").back().loss, metrics("one_end").back().loss);
  EXPECT_NE(metrics("masked").back().loss, metrics("unmasked").back().loss);
  fs::create_directory(path("own"));
  fs::copy_file(fs::path(ARGOSY_SOURCE_DIR) / "tests/golden/tokenizers/like_llama2.json",
                path("own/tokenizer.json"));
  const Json tokenizer = Json::parse(read("own/tokenizer.json"));
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    if (id == 7) write("own/tokenizer_config.json", Json{{"eos_token", text}}.dump());
  }
  out("own_end", "--document-mask --tokenizer own");
  EXPECT_EQ(metrics("own_end").back().loss, metrics("one_end").back().loss);
}

TEST_F(PackingJobs, FilesWithoutRowsAreRefused) {
  const std::string wrong = "--plan one.json --run-dir run --steps 1 ";
  expect_mistake(wrong + "--data mixed.jsonl --packing bfd",
                 {"--packing: 'bfd'", "stream, none, best-fit"});
  expect_mistake(wrong + "--data text.txt --packing none",
                 {"--data: text.txt: has no rows", "stream"});
  expect_mistake(wrong + "--data mixed.jsonl --eval-data text.txt --packing best-fit",
                 {"--eval-data: text.txt: has no rows"});
  write("tokens.bin", llmc_file_of(std::vector<uint16_t>(100, 9)));
  expect_mistake(wrong + "--data tokens.bin --packing none",
                 {"--data: tokens.bin", "--end-of-text ID"});
  expect_mistake(wrong + "--data tokens.bin --packing none --end-of-text 8",
                 {"none of its tokens is 8"});
  EXPECT_FALSE(fs::exists(path("run")));
}

// The template asks for a variable: a run without it cannot read a conversation.
TEST_F(PackingJobs, VariablesOfTheTemplateAreKeptWithTheRun) {
  fs::create_directory(path("llama2"));
  fs::copy_file(fs::path(ARGOSY_SOURCE_DIR) / "tests/golden/tokenizers/like_llama2.json",
                path("llama2/tokenizer.json"));
  write("llama2/tokenizer_config.json",
        R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"})");
  write("llama2/chat_template.jinja",
        "{% if mood is not defined %}{{ raise_exception('no mood') }}{% endif %}"
        "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}{{ mood }}]{% else %} "
        "{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}");
  Json model = Json::parse(read("dense.json"));
  model["vocab_size"] = 448;
  write("model.json", model.dump());
  make_plan("plan.json", "model.json", 1, "micro_batch=8");
  const std::string chat = R"({"messages": [{"role": "user", "content": "when?"}, )"
                           R"({"role": "assistant", "content": "at dawn"}]})"
                           "\n";
  std::string chats;
  for (int i = 0; i < 20; ++i) chats += chat;
  write("chats.jsonl", chats);
  const std::string options = "--data chats.jsonl --tokenizer llama2 ";
  const std::string wrong = concat("--plan plan.json --run-dir run --steps 1 ", options);
  expect_mistake(wrong, {"line 1", "no mood"});
  expect_mistake(wrong + "--chat-template-kwargs '{\"mod\": 1}'",
                 {"--chat-template-kwargs: `mod`", "llama2 has no such variable"});
  expect_mistake(wrong + "--chat-template-kwargs '[1]'", {"--chat-template-kwargs: is array"});
  expect_mistake(wrong + "--chat-template-kwargs '{mood'",
                 {"--chat-template-kwargs: '{mood'", "JSON"});
  expect_mistake(wrong + "--chat-template-kwargs '{\"messages\": []}'", {"`messages`"});

  train("plan.json", "run", 1, options + "--chat-template-kwargs '{\"mood\": \"#1 \\\"x\\\"\"}'");
  train("plan.json", "run", 2, "--data chats.jsonl --resume auto");
  train("plan.json", "run", 3, "--data chats.jsonl --resume auto");
  const std::string ask = "argosy-train --generate 'when?' --chat --max-new-tokens 1 ";
  succeed(ask + "--run-dir run");
  succeed(ask + "--init run/checkpoints/step_00000003");
  EXPECT_NE(shell(ask + "--run-dir run --chat-template-kwargs '{}'").exit_code, 0);

  // An adapter brings those of its run, whatever the base beside it has.
  train("plan.json", "base", 1, "--data text.txt --tokenizer llama2");
  make_plan("lora.json", "model.json", 1, "micro_batch=8",
            "--task lora --lora-rank 2 --lora-targets q_proj");
  train("lora.json", "lora", 1, options + "--init base --chat-template-kwargs '{\"mood\": \"y\"}'");
  EXPECT_TRUE(contains(shell(ask + "--init base").err, "no mood"));
  succeed(ask + "--init base --init-adapter lora");
  write("tokens.bin", llmc_file_of(std::vector<uint16_t>(40, 7)));
  expect_mistake(
      "--plan plan.json --run-dir bin --steps 1 --data tokens.bin "
      "--chat-template-kwargs garbage",
      {"--chat-template-kwargs: 'garbage'", "JSON"});
  train("plan.json", "other", 1, options + "--chat-template-kwargs '{\"mood\": 7}'");
  EXPECT_NE(metrics("other").front().loss, metrics("run").front().loss);
}

}  // namespace
}  // namespace argosy
