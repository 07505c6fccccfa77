// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What others read of a checkpoint: Hugging Face's names, shapes and values, PEFT's adapters. The
// file is taken apart here by the format's own description; the values are the checkpoint's.
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>

#include "checkpoint/checkpoint.h"
#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

struct Values {
  std::vector<int64_t> shape;
  std::vector<float> data;
};
using Tensors = std::map<std::string, Values>;

class ExportTest : public ProgramTest {
 protected:
  // Tensors of an F32 file: u64 length of the header, JSON header, data without gaps.
  Tensors read_safetensors(const std::string& name) const {
    const std::string bytes = read(name);
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    EXPECT_EQ(length % 8, 0U);
    const Json header = Json::parse(bytes.substr(8, length));
    Tensors tensors;
    size_t end = 0;
    for (const auto& [key, entry] : header.items()) {
      if (key == "__metadata__") continue;
      EXPECT_EQ(entry["dtype"], "F32") << key;
      const size_t begin = entry["data_offsets"][0];
      EXPECT_EQ(begin, end) << key;
      end = entry["data_offsets"][1];
      Values& values = tensors[key];
      values.shape = entry["shape"].get<std::vector<int64_t>>();
      values.data.resize((end - begin) / sizeof(float));
      std::memcpy(values.data.data(), bytes.data() + 8 + length + begin, end - begin);
    }
    EXPECT_EQ(8 + length + end, bytes.size());
    return tensors;
  }

  void write_gpt2() const {
    write("gpt2.json", R"({"model_type": "gpt2", "vocab_size": 258, "n_embd": 8, "n_layer": 1,
                           "n_head": 2, "n_positions": 16, "activation_function": "gelu_new"})");
  }

  // Blocks of 32 inputs, so that its experts may be packed in 4 bits.
  void write_gpt_oss() const {
    write("oss.json", R"({"model_type": "gpt_oss", "vocab_size": 258, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
        "router_aux_loss_coef": 0.01, "sliding_window": 6, "max_position_embeddings": 64})");
  }

  void write_glm(const std::string& name, int num_layers) const {
    write(name, concat(R"({"model_type": "glm4_moe", "vocab_size": 258, "hidden_size": 16,
        "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 2,
        "head_dim": 12, "use_qk_norm": true, "attention_bias": true, "n_routed_experts": 4,
        "num_experts_per_tok": 2, "moe_intermediate_size": 8, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "max_position_embeddings": 64, "num_hidden_layers": )",
                       num_layers, "}"));
  }

  // A file written by the format's description: header and data.
  void write_safetensors(const std::string& name, const Json& header,
                         const std::string& data) const {
    const std::string text = header.dump();
    const uint64_t length = text.size();
    write(name, std::string(reinterpret_cast<const char*>(&length), 8) + text + data);
  }

  // The folder "hf" of the run "run", plan.json, of so many steps.
  Tensors export_gpt2(int num_steps) const {
    write_gpt2();
    make_plan("plan.json", "gpt2.json", 1, "tp=1");
    succeed(
        concat("argosy-train --plan plan.json --data text.txt --run-dir run --steps ", num_steps));
    succeed("argosy-checkpoint export-hf run hf/");
    return read_safetensors("hf/model.safetensors");
  }

  // A parameter of a run's checkpoint of `step`, row-major.
  std::vector<float> parameter(const std::string& run, int64_t step, const std::string& name,
                               int64_t rows, int64_t cols) const {
    std::vector<float> data(static_cast<size_t>(rows * cols));
    const auto world = make_self_communicator();
    load_checkpoint(
        *world, checkpoint_path(path(run) / "checkpoints", step),
        {{name, "parameter", rows, cols, DType::fp32, {{0, rows}, {0, cols}}, data.data()}});
    return data;
  }
};

TEST_F(ExportTest, AModelIsHuggingFacesFolder) {
  make_plan("plan.json", "moe.json", 4, "pp=2,dp=2,ep=2,tp=1,micro_batch=2");
  succeed(launch("plan.json", "run", 2));
  succeed("argosy-checkpoint export-hf run hf");
  const Tensors tensors = read_safetensors("hf/model.safetensors");
  const Json inspected = Json::parse(succeed("argosy-checkpoint inspect --json run").out);
  size_t num_parameters = 0;
  for (const Json& stored : inspected["tensors"]) {
    if (stored["kind"] != "parameter") continue;
    ++num_parameters;
    const std::string name = stored["name"];
    ASSERT_TRUE(tensors.contains(name)) << name;
    const int64_t rows = stored["shape"][0], cols = stored["shape"][1];
    const std::vector<int64_t> shape =
        cols == 1 ? std::vector<int64_t>{rows} : std::vector<int64_t>{rows, cols};
    EXPECT_EQ(tensors.at(name).shape, shape) << name;
    EXPECT_EQ(tensors.at(name).data, parameter("run", 2, name, rows, cols)) << name;
  }
  EXPECT_EQ(tensors.size(), num_parameters);
  EXPECT_EQ(Json::parse(read("hf/config.json"))["torch_dtype"], "float32");
  // It is a model for the planner again.
  make_plan("again.json", "hf", 1, "tp=1");
}

TEST_F(ExportTest, Gpt2IsTransposedAndFused) {
  const Tensors tensors = export_gpt2(2);
  const std::string attention = "transformer.h.0.attn.c_attn";
  const Values& fused = tensors.at(attention + ".weight");
  ASSERT_EQ(fused.shape, (std::vector<int64_t>{8, 24}));
  ASSERT_EQ(tensors.at(attention + ".bias").shape, (std::vector<int64_t>{24}));
  const char* names[] = {".q", ".k", ".v"};
  for (size_t part = 0; part < 3; ++part) {
    const auto weight = parameter("run", 2, concat(attention, names[part], ".weight"), 8, 8);
    const auto bias = parameter("run", 2, concat(attention, names[part], ".bias"), 8, 1);
    for (size_t out = 0; out < 8; ++out) {
      for (size_t in = 0; in < 8; ++in) {
        EXPECT_EQ(fused.data[in * 24 + part * 8 + out], weight[out * 8 + in]);
      }
      EXPECT_EQ(tensors.at(attention + ".bias").data[part * 8 + out], bias[out]);
    }
  }
  EXPECT_EQ(tensors.at("transformer.h.0.mlp.c_fc.weight").shape, (std::vector<int64_t>{8, 32}));
  EXPECT_EQ(tensors.at("transformer.wte.weight").shape, (std::vector<int64_t>{258, 8}));
}

// As transformers' GptOssExperts has them: (experts, inputs, outputs), gate and up in turn.
TEST_F(ExportTest, GptOssStacksItsExperts) {
  write_gpt_oss();
  make_plan("plan.json", "oss.json", 2, "tp=1,dp=2,ep=2,etp=1,pp=1");
  succeed(launch("plan.json", "run", 2));
  succeed("argosy-checkpoint export-hf run hf");
  const Tensors tensors = read_safetensors("hf/model.safetensors");
  const std::string experts = "model.layers.1.mlp.experts.";
  const Values& wide = tensors.at(experts + "gate_up_proj");
  const Values& wide_bias = tensors.at(experts + "gate_up_proj_bias");
  const Values& down = tensors.at(experts + "down_proj");
  const Values& down_bias = tensors.at(experts + "down_proj_bias");
  constexpr size_t kExperts = 4, kHidden = 32, kWidth = 64;
  ASSERT_EQ(wide.shape, (std::vector<int64_t>{kExperts, kHidden, 2 * kWidth}));
  ASSERT_EQ(wide_bias.shape, (std::vector<int64_t>{kExperts, 2 * kWidth}));
  ASSERT_EQ(down.shape, (std::vector<int64_t>{kExperts, kWidth, kHidden}));
  ASSERT_EQ(down_bias.shape, (std::vector<int64_t>{kExperts, kHidden}));
  for (size_t e = 0; e < kExperts; ++e) {
    const char* halves[] = {".gate", ".up"};
    for (size_t half = 0; half < 2; ++half) {
      const std::string name = concat(e, halves[half]);
      const auto weight = parameter("run", 2, concat(experts, "gate_up_proj.", name), 64, 32);
      const auto bias = parameter("run", 2, concat(experts, "gate_up_proj_bias.", name), 64, 1);
      for (size_t out = 0; out < kWidth; ++out) {
        const size_t column = 2 * out + half;
        for (size_t in = 0; in < kHidden; ++in) {
          ASSERT_EQ(wide.data[(e * kHidden + in) * 2 * kWidth + column],
                    weight[out * kHidden + in]);
        }
        ASSERT_EQ(wide_bias.data[e * 2 * kWidth + column], bias[out]);
      }
    }
    const auto weight = parameter("run", 2, concat(experts, "down_proj.", e), 32, 64);
    const auto bias = parameter("run", 2, concat(experts, "down_proj_bias.", e), 32, 1);
    for (size_t out = 0; out < kHidden; ++out) {
      for (size_t in = 0; in < kWidth; ++in)
        ASSERT_EQ(down.data[(e * kWidth + in) * kHidden + out], weight[out * kWidth + in]);
      ASSERT_EQ(down_bias.data[e * kHidden + out], bias[out]);
    }
  }
  EXPECT_EQ(tensors.at("model.layers.0.self_attn.sinks").shape, (std::vector<int64_t>{2}));
  EXPECT_EQ(tensors.at("model.layers.0.mlp.router.bias").shape, (std::vector<int64_t>{4}));
  EXPECT_EQ(tensors.size(), 3U + 2 * 17);
}

// Experts as OpenAI released them: blocks of 32 values of e2m1 with a scale of e8m0.
TEST_F(ExportTest, TrainingStartsFromMxfp4) {
  write_gpt_oss();
  make_plan("plan.json", "oss.json", 1, "tp=1", "--precision bf16");
  make_plan("fp32.json", "oss.json", 1, "tp=1");
  succeed("argosy-train --plan fp32.json --data text.txt --run-dir fp32 --steps 1");
  succeed("argosy-checkpoint export-hf fp32 hf");
  const Tensors tensors = read_safetensors("hf/model.safetensors");
  Json header = Json::object();
  std::string data;
  const auto add = [&](const std::string& name, const char* dtype,
                       const std::vector<int64_t>& shape, const std::string& bytes) {
    const size_t begin = data.size();
    data += bytes;
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  };
  // Byte i of all blocks is i * 7 + 3, block b has the scale 2^(b % 5 - 2).
  for (const auto& [name, values] : tensors) {
    if (!name.ends_with("gate_up_proj") && !name.ends_with("down_proj")) {
      add(name, "F32", values.shape,
          {reinterpret_cast<const char*>(values.data.data()), 4 * values.data.size()});
      continue;
    }
    const int64_t outputs = values.shape[2], blocks = values.shape[1] / 32;
    std::string packed, scales;
    for (int64_t i = 0; i < 4 * outputs * blocks * 16; ++i)
      packed += static_cast<char>(static_cast<unsigned char>(i * 7 + 3));
    for (int64_t b = 0; b < 4 * outputs * blocks; ++b) scales += static_cast<char>(127 + b % 5 - 2);
    add(name + "_blocks", "U8", {4, outputs, blocks, 16}, packed);
    add(name + "_scales", "U8", {4, outputs, blocks}, scales);
  }
  fs::create_directory(path("packed"));
  Json config = Json::parse(read("hf/config.json"));
  config["quantization_config"] = {{"quant_method", "mxfp4"}};
  write("packed/config.json", config.dump());
  write_safetensors("packed/model.safetensors", header, data);

  const std::string start = "argosy-train --plan plan.json --data text.txt --steps 1 --lr 0 ";
  succeed(start + "--init packed --run-dir back");
  constexpr float kE2m1[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  const auto expect_unpacked = [&](const std::string& tensor, int64_t rows, int64_t cols,
                                   const auto& row_there) {
    const auto weight = parameter("back", 1, "model.layers.1.mlp.experts." + tensor, rows, cols);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        const int64_t value = row_there(row) * cols + col, byte = value / 2 * 7 + 3;
        const int64_t bits = (value % 2 == 0 ? byte : byte >> 4) & 15;
        const float magnitude = std::ldexp(kE2m1[bits & 7], static_cast<int>(value / 32 % 5) - 2);
        ASSERT_EQ(weight[static_cast<size_t>(row * cols + col)], bits > 7 ? -magnitude : magnitude)
            << tensor << " " << row << " " << col;
      }
    }
  };
  expect_unpacked("gate_up_proj.2.gate", 64, 32, [](int64_t row) { return 2 * 128 + 2 * row; });
  expect_unpacked("gate_up_proj.3.up", 64, 32, [](int64_t row) { return 3 * 128 + 2 * row + 1; });
  expect_unpacked("down_proj.1", 32, 64, [](int64_t row) { return 32 + row; });
  // What leaves is not packed, and says nothing else.
  succeed("argosy-checkpoint export-hf back back_hf");
  EXPECT_FALSE(Json::parse(read("back_hf/config.json")).contains("quantization_config"));

  const std::string name = "model.layers.0.mlp.experts.down_proj";
  header[name + "_blocks"]["shape"] = {4, 64, 1, 16};
  write_safetensors("packed/model.safetensors", header, data);
  const ProgramResult other = shell(start + "--init packed --run-dir never");
  EXPECT_EQ(other.exit_code, kExitUserError) << other.err;
  EXPECT_TRUE(contains(other.err, name + "_blocks is (4, 64, 1, 16), the model has (4, 32, 2, 16)"))
      << other.err;
}

// Bytes are no weights anywhere else.
TEST_F(ExportTest, BytesAreRefusedAsWeights) {
  const Tensors tensors = export_gpt2(1);
  fs::create_directory(path("bytes"));
  fs::copy_file(path("hf/config.json"), path("bytes/config.json"));
  Json header = Json::object();
  std::string data;
  for (const auto& [name, values] : tensors) {
    const size_t begin = data.size();
    data += std::string(values.data.size(), 'x');
    header[name] = {
        {"dtype", "U8"}, {"shape", values.shape}, {"data_offsets", {begin, data.size()}}};
  }
  write_safetensors("bytes/model.safetensors", header, data);
  const ProgramResult result =
      shell("argosy-train --plan plan.json --data text.txt --steps 1 --init bytes --run-dir never");
  EXPECT_EQ(result.exit_code, kExitUserError) << result.err;
  EXPECT_TRUE(contains(result.err, "is of dtype U8; valid: F64, F32, BF16, F16")) << result.err;
}

TEST_F(ExportTest, AdaptersArePeftsAndMergeByItsRule) {
  make_plan("base.json", "dense.json", 1, "tp=1");
  make_plan(
      "lora.json", "dense.json", 2, "tp=2,dp=1,pp=1",
      "--precision fp32 --task lora --lora-rank 4 --lora-alpha 6 --lora-targets q_proj,down_proj");
  succeed("argosy-train --plan base.json --data text.txt --steps 1 --run-dir base");
  succeed(launch("lora.json", "lora", 2, "--init base --lr 1e-2"));
  succeed(
      launch("lora.json", "lora", 3, "--resume auto --lr 1e-2"));  // what it stands on stays known
  succeed("argosy-checkpoint export-hf base hf");
  succeed("argosy-checkpoint export-adapter lora adapter");
  succeed("argosy-checkpoint merge lora merged");

  const Json config = Json::parse(read("adapter/adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "CAUSAL_LM");
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 6);
  EXPECT_EQ(config["base_model_name_or_path"], "base");
  EXPECT_EQ(config["target_modules"], Json::parse(R"(["q_proj", "down_proj"])"));
  const Tensors base = read_safetensors("hf/model.safetensors");
  const Tensors factors = read_safetensors("adapter/adapter_model.safetensors");
  const Tensors merged = read_safetensors("merged/model.safetensors");
  ASSERT_EQ(merged.size(), base.size());
  size_t num_adapted = 0;
  for (const auto& [name, weight] : base) {
    const std::string module = "base_model.model." + name.substr(0, name.rfind('.'));
    const auto a = factors.find(module + ".lora_A.weight"),
               b = factors.find(module + ".lora_B.weight");
    if (a == factors.end()) {
      EXPECT_EQ(merged.at(name).data, weight.data) << name;
      continue;
    }
    ++num_adapted;
    const auto rows = static_cast<size_t>(weight.shape[0]),
               cols = static_cast<size_t>(weight.shape[1]);
    ASSERT_EQ(a->second.shape, (std::vector<int64_t>{4, weight.shape[1]}));
    ASSERT_EQ(b->second.shape, (std::vector<int64_t>{weight.shape[0], 4}));
    double largest_change = 0;
    for (size_t i = 0; i < rows * cols; ++i) {
      double change = 0;
      for (size_t r = 0; r < 4; ++r)
        change += 1.5 * b->second.data[i / cols * 4 + r] * a->second.data[r * cols + i % cols];
      largest_change = std::max(largest_change, std::abs(change));
      EXPECT_NEAR(merged.at(name).data[i], weight.data[i] + change, 1e-7) << name;
    }
    EXPECT_GT(largest_change, 1e-5) << name;
  }
  EXPECT_EQ(2 * num_adapted, factors.size());
  EXPECT_EQ(num_adapted, 4U);  // two layers
}

TEST_F(ExportTest, MistakesAreNamedAndLeaveNothing) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  make_plan("lora.json", "dense.json", 1, "tp=1", "--precision fp32 --task lora");
  succeed("argosy-train --plan plan.json --data text.txt --steps 1 --run-dir run");
  succeed("argosy-train --plan lora.json --data text.txt --steps 1 --run-dir lora");
  const auto expect = [&](const std::string& arguments, const std::string& part) {
    const ProgramResult result = shell("argosy-checkpoint " + arguments);
    EXPECT_EQ(result.exit_code, kExitUserError) << result.err;
    EXPECT_TRUE(contains(result.err, part)) << result.err;
    EXPECT_FALSE(fs::exists(path("exported")));
  };
  expect("export-hf run", "2 are needed");
  expect("merge run exported", "valid: export-hf");
  expect("export-adapter run exported", "valid: export-hf");
  expect("export-hf lora exported", "valid: merge");
  expect("export-hf run lora", "lora: exists");
  expect("export-hf run none/out", "none/out: cannot be made: No such file or directory; valid: a");
  expect("export-hf run lora/", "lora: exists");
}

// What was exported comes back to the bit on any layout, and a LoRA job starts from it.
TEST_F(ExportTest, TrainingStartsFromTheExportedModel) {
  write_gpt2();
  write_gpt_oss();
  write("latent.json", R"({"model_type": "deepseek_v3", "vocab_size": 258, "hidden_size": 16,
      "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "q_lora_rank": 8,
      "kv_lora_rank": 8, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 4,
      "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8,
      "n_shared_experts": 1, "n_group": 1, "first_k_dense_replace": 1,
      "max_position_embeddings": 64})");
  write("olmoe.json", R"({"model_type": "olmoe", "vocab_size": 258, "hidden_size": 16,
      "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
      "num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2,
      "max_position_embeddings": 64})");
  write_glm("glm.json", 2);
  Json with_modules = Json::parse(read("glm.json"));
  with_modules["num_nextn_predict_layers"] = 1;
  write("mtp.json", with_modules.dump());
  for (const std::string model : {"dense", "moe", "gpt2", "latent", "oss", "olmoe", "glm", "mtp"}) {
    SCOPED_TRACE(model);
    make_plan(model + "_plan.json", model + ".json", 1, "tp=1", "--precision bf16");
    succeed(concat("argosy-train --plan ", model, "_plan.json --data text.txt --steps 1 --run-dir ",
                   model));
    succeed(concat("argosy-checkpoint export-hf ", model, " ", model, "_hf"));
    const std::string layout = model == "gpt2" ? "tp=2" : "pp=2,tp=1,dp=1";
    make_plan(model + "_on_two.json", model + ".json", 2, layout, "--precision bf16");
    const bool has_bias = model == "latent" || model == "glm" || model == "mtp";
    const char* fixed = has_bias ? " --router-bias-update-rate 0" : "";
    succeed(launch(model + "_on_two.json", model + "_back", 1,
                   concat("--init ", model, "_hf --lr 0", fixed)));
    const ProgramResult diff =
        succeed(concat("argosy-checkpoint diff --kind parameter ", model, " ", model, "_back"));
    EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
  }
  make_plan("lora.json", "dense.json", 2, "tp=2,dp=1,pp=1", "--precision fp32 --task lora");
  const std::string out = succeed(launch("lora.json", "lora", 1, "--init dense_hf")).out;
  EXPECT_TRUE(contains(out, "weights  dense_hf")) << out;
  Json config = Json::parse(read("dense_hf/config.json"));
  config["initializer_range"] = 0.5;
  write("dense_hf/config.json", config.dump());
  const ProgramResult changed = succeed(launch("lora.json", "changed", 1, "--init dense_hf"));
  EXPECT_TRUE(
      contains(changed.out + changed.err, "--init: initializer_range is 0.5 in dense_hf/config"))
      << changed.out << changed.err;
}

// A module for multi-token prediction is told by its projection: any other layer behind the plan's
// last is a block that would be missing.
TEST_F(ExportTest, ALayerBehindTheLastIsLeftIfItPredicts) {
  write_glm("three.json", 3);
  write_glm("two.json", 2);
  make_plan("three_plan.json", "three.json", 1, "tp=1");
  make_plan("two_plan.json", "two.json", 1, "tp=1");
  succeed("argosy-train --plan three_plan.json --data text.txt --steps 1 --run-dir three");
  succeed("argosy-checkpoint export-hf three hf");
  Json config = Json::parse(read("hf/config.json"));
  config["num_hidden_layers"] = 2;
  write("hf/config.json", config.dump());
  const std::string start =
      "argosy-train --plan two_plan.json --data text.txt --steps 1 --init hf --run-dir ";
  const ProgramResult block = shell(start + "never");
  EXPECT_EQ(block.exit_code, kExitUserError) << block.err;
  EXPECT_TRUE(contains(block.err, "holds model.layers.2.")) << block.err;
  EXPECT_TRUE(contains(block.err, "which the model has not")) << block.err;

  Json header = Json::object();
  std::string data;
  const auto add = [&](const std::string& name, const Values& values) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data.data()), 4 * values.data.size());
    header[name] = {
        {"dtype", "F32"}, {"shape", values.shape}, {"data_offsets", {begin, data.size()}}};
  };
  for (const auto& [name, values] : read_safetensors("hf/model.safetensors")) add(name, values);
  add("model.layers.2.eh_proj.weight", {{16, 32}, std::vector<float>(16 * 32)});
  write_safetensors("hf/model.safetensors", header, data);
  succeed(start + "two");
}

// A base of 4 bits is the same numbers from a checkpoint and from a folder of Hugging Face, on any
// layout; merged, it is the network that was trained.
TEST_F(ExportTest, ABaseOf4BitsDependsOnNoLayout) {
  const std::string qlora =
      "--precision fp32 --task lora --lora-rank 4 --lora-alpha 6 --base-bits 4";
  make_plan("base.json", "moe.json", 1, "tp=1", "--precision fp32");
  make_plan("qlora.json", "moe.json", 2, "tp=2,dp=1,pp=1", qlora);
  make_plan("other.json", "moe.json", 2, "tp=1,dp=2,pp=1,zero=1", qlora);
  make_plan("shards.json", "moe.json", 2, "tp=1,dp=2,pp=1,zero=3", qlora);
  succeed("argosy-train --plan base.json --data text.txt --steps 20 --lr 1e-2 --run-dir base");
  succeed("argosy-checkpoint export-hf base hf");
  succeed(launch("qlora.json", "qlora", 3, "--init base --lr 1e-2"));
  succeed(launch("other.json", "again", 3, "--init hf --lr 1e-2"));
  const ProgramResult same =
      succeed("argosy-checkpoint diff --kind parameter --ignore lora qlora again");
  EXPECT_TRUE(contains(same.out, " equal to the bit, 0 not")) << same.out;
  for (const std::string init : {"base", "hf"}) {
    succeed(launch("shards.json", "shards_" + init, 3, concat("--init ", init, " --lr 1e-2")));
    const ProgramResult in_shards = succeed(
        concat("argosy-checkpoint diff --kind parameter --ignore lora shards_", init, " again"));
    EXPECT_TRUE(contains(in_shards.out, " equal to the bit, 0 not")) << in_shards.out;
  }
  const ProgramResult changed =
      shell("argosy-checkpoint diff --kind parameter --ignore lora base qlora");
  EXPECT_EQ(changed.exit_code, 1) << "NF4 is not what was read: " << changed.out;
  const ProgramResult merged = succeed("argosy-checkpoint merge qlora merged");
  EXPECT_TRUE(contains(merged.out, "into the base of 4 bits")) << merged.out;
  // Within the run's 16 tokens, behind which its window is another than that of the merged model.
  const std::string ask = " --generate 'the ' --temperature 0 --max-new-tokens 11";
  EXPECT_EQ(succeed("argosy-train --run-dir qlora" + ask).out,
            succeed("argosy-train --init merged" + ask).out);
  int step = 3;
  for (const char* plan : {"shards.json", "qlora.json"}) {  // into shards and out of them
    succeed(launch(plan, "qlora", ++step, "--resume auto --lr 0"));
    const ProgramResult resumed =
        succeed("argosy-checkpoint diff --kind parameter --ignore lora qlora again");
    EXPECT_TRUE(contains(resumed.out, " equal to the bit, 0 not")) << resumed.out;
  }
  EXPECT_EQ(succeed("argosy-train --run-dir shards_hf" + ask).out,
            succeed("argosy-train --run-dir shards_base" + ask).out);
}

// A bf16 job's factors and their fp32 masters come back to the bit on another layout.
TEST_F(ExportTest, AnAdapterIsTakenUpAgain) {
  const std::string lora = "--precision bf16 --task lora --lora-rank 4 --lora-alpha 6";
  make_plan("base.json", "moe.json", 1, "tp=1", "--precision bf16");
  make_plan("lora.json", "moe.json", 2, "tp=2,dp=1,pp=1", lora);
  make_plan("other.json", "moe.json", 2, "tp=1,dp=2,pp=1,zero=1", lora);
  succeed("argosy-train --plan base.json --data text.txt --steps 1 --run-dir base");
  succeed(launch("lora.json", "lora", 3, "--init base --lr 1e-2"));
  succeed("argosy-checkpoint export-adapter lora adapter");
  succeed("argosy-checkpoint export-hf base hf");
  for (const std::string init : {"base", "hf"}) {
    SCOPED_TRACE(init);
    const std::string run = "again_" + init, exported = "adapter_" + init;
    const std::string out =
        succeed(
            launch("other.json", run, 1, concat("--init ", init, " --init-adapter adapter --lr 0")))
            .out;
    EXPECT_TRUE(contains(out, concat("weights  ", init))) << out;
    EXPECT_TRUE(contains(out, ", adapter adapter in ")) << out;
    succeed(concat("argosy-checkpoint export-adapter ", run, " ", exported));
    EXPECT_EQ(read(exported + "/adapter_model.safetensors"),
              read("adapter/adapter_model.safetensors"));
    const ProgramResult diff =
        succeed(concat("argosy-checkpoint diff --kind parameter lora ", run));
    EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
  }
  const std::string resumed =
      succeed(launch("other.json", "again_hf", 2, "--init-adapter adapter --resume auto")).out;
  EXPECT_TRUE(contains(resumed, "resumed  again_hf")) << resumed;
  EXPECT_FALSE(contains(resumed, "adapter adapter")) << "the checkpoint's own go on: " << resumed;
  succeed(
      "argosy-launch --plan other.json -- --data text.txt --verify 1 --init base "
      "--init-adapter adapter");
}

TEST_F(ExportTest, AnAdapterThatIsNotThePlansIsNamed) {
  make_plan("base.json", "dense.json", 1, "tp=1");
  const auto make_lora = [&](const std::string& name, const std::string& options) {
    make_plan(name, "dense.json", 1, "tp=1", "--precision fp32 --task lora " + options);
  };
  make_lora("lora.json", "--lora-rank 4 --lora-targets q_proj,v_proj");
  make_lora("rank.json", "--lora-rank 8 --lora-targets q_proj,v_proj");
  make_lora("more.json", "--lora-rank 4 --lora-targets q_proj,k_proj,v_proj");
  make_lora("less.json", "--lora-rank 4 --lora-targets q_proj");
  succeed("argosy-train --plan lora.json --data text.txt --steps 1 --run-dir lora");
  succeed("argosy-checkpoint export-adapter lora adapter");
  const auto expect = [&](const std::string& plan, const std::string& part) {
    const ProgramResult result = shell(
        concat("argosy-train --data text.txt --steps 1 --run-dir never --init-adapter adapter "
               "--plan ",
               plan));
    EXPECT_EQ(result.exit_code, kExitUserError) << result.err;
    EXPECT_TRUE(contains(result.err, "--init-adapter: ")) << result.err;
    EXPECT_TRUE(contains(result.err, part)) << result.err;
    EXPECT_FALSE(fs::exists(path("never")));
  };
  expect("base.json", "the plan's task is pretrain");
  expect("rank.json", "adapter/adapter_config.json: r is 4; valid: 8, as in the plan");
  expect("more.json", "k_proj.lora_A.weight of the plan's adapters");
  expect("less.json", "v_proj.lora_A.weight, which the plan's adapters have not");
  const Json config = Json::parse(read("adapter/adapter_config.json"));
  for (const auto& [key, value] : {std::pair<const char*, Json>{"use_dora", true},
                                   {"bias", "all"},
                                   {"rank_pattern", {{"q_proj", 2}}},
                                   {"modules_to_save", {"lm_head"}}}) {
    Json changed = config;
    changed[key] = value;
    write("adapter/adapter_config.json", changed.dump());
    expect("lora.json", concat(key, " is ", value.dump(), ": not supported"));
  }
  write("adapter/adapter_config.json", config.dump());
  fs::remove(path("adapter/adapter_model.safetensors"));
  expect("lora.json", "adapter_model.safetensors");
}

// Written here by the format's description: two files by an index, half precision, a tied head.
TEST_F(ExportTest, TrainingStartsFromPartsAndHalves) {
  const Tensors tensors = export_gpt2(1);
  fs::create_directory(path("parts"));
  fs::copy_file(path("hf/config.json"), path("parts/config.json"));
  Json index = {{"weight_map", Json::object()}};
  for (const bool halves : {true, false}) {
    Json header = Json::object();
    std::string data;
    for (const auto& [name, values] : tensors) {
      if ((name == "transformer.ln_f.weight") != halves) continue;
      const size_t begin = data.size();
      for (const float value : values.data) {
        const uint16_t half = 0x3e00;  // 1.5
        data.append(
            halves ? reinterpret_cast<const char*>(&half) : reinterpret_cast<const char*>(&value),
            halves ? 2 : 4);
      }
      header[name] = {{"dtype", halves ? "F16" : "F32"},
                      {"shape", values.shape},
                      {"data_offsets", {begin, data.size()}}};
      index["weight_map"][name] = halves ? "a.safetensors" : "b.safetensors";
    }
    write_safetensors(halves ? "parts/a.safetensors" : "parts/b.safetensors", header, data);
  }
  write("parts/model.safetensors.index.json", index.dump());
  const std::string start = "argosy-train --data text.txt --steps 1 --lr 0 --init parts --plan ";
  succeed(start + "plan.json --run-dir back");
  const ProgramResult diff = shell("argosy-checkpoint diff --kind parameter run back");
  EXPECT_TRUE(contains(diff.out, "differs             parameter/transformer.ln_f.weight"));
  EXPECT_TRUE(contains(diff.out, ", 1 not")) << diff.out;
  for (const float value : parameter("back", 1, "transformer.ln_f.weight", 8, 1))
    EXPECT_EQ(value, 1.5F);

  const auto expect = [&](const std::string& plan, const std::vector<std::string>& parts) {
    const ProgramResult result = shell(concat(start, plan, " --run-dir never"));
    EXPECT_EQ(result.exit_code, kExitUserError) << result.err;
    for (const std::string& part : parts)
      EXPECT_TRUE(contains(result.err, part)) << "no '" << part << "' in " << result.err;
    EXPECT_FALSE(fs::exists(path("never")));
  };
  const std::string whole = read("parts/b.safetensors");
  write("parts/b.safetensors", whole.substr(0, whole.size() - 4));
  expect("plan.json", {"--init", "b.safetensors", "damaged or was cut"});
  write("parts/b.safetensors", whole.substr(0, 20));
  expect("plan.json", {"--init", "b.safetensors", "no safetensors file, or cut"});
  write("parts/b.safetensors", whole);
  for (const auto& [key, value, message] : std::vector<std::tuple<const char*, int, const char*>>{
           {"n_positions", 32, "transformer.wpe.weight is (16, 8), the model has (32, 8)"},
           {"n_layer", 2, "no tensor transformer.h.1.ln_1.weight"}}) {
    Json other = Json::parse(read("gpt2.json"));
    other[key] = value;
    write("other.json", other.dump());
    make_plan("other_plan.json", "other.json", 1, "tp=1");
    expect("other_plan.json", {"--init", message});
  }
  index["weight_map"]["transformer.extra"] = "a.safetensors";
  write("parts/model.safetensors.index.json", index.dump());
  expect("plan.json", {"transformer.extra is in a.safetensors, and it is not"});
}

}  // namespace
}  // namespace argosy
