// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/export.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "checkpoint/convert.h"
#include "checkpoint/copy_common.h"
#include "checkpoint/file_io.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/shard_reader.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

// What transformers' save_pretrained writes into one file at most.
constexpr int64_t kLargestFileBytes = 5'000'000'000;

// The whole tensor as rows, in `dtype`.
std::vector<unsigned char> read_whole(ShardReader& reader, const StoredTensor& tensor,
                                      DType dtype) {
  std::vector<unsigned char> whole(
      static_cast<size_t>(tensor.rows * tensor.cols * size_in_bytes(dtype)));
  const TensorPiece piece = {tensor.name, tensor.kind, tensor.rows,
                             tensor.cols, dtype,       {{0, tensor.rows}, {0, tensor.cols}},
                             whole.data()};
  for (const Extent& extent : tensor.extents) {
    reader.read(tensor, extent, [&](const Box& part, const unsigned char* data) {
      copy_common(part, data, tensor.dtype, piece);
    });
  }
  return whole;
}

std::vector<double> read_numbers(ShardReader& reader, const StoredTensor& tensor) {
  const std::vector<unsigned char> bytes = read_whole(reader, tensor, DType::fp64);
  std::vector<double> numbers(bytes.size() / sizeof(double));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// W + scale * B A, rounded once.
std::vector<unsigned char> read_merged(ShardReader& reader, const HfPart& part, double scale,
                                       DType dtype) {
  std::vector<double> weight = read_numbers(reader, *part.stored);   // (rows, cols)
  const std::vector<double> a = read_numbers(reader, *part.lora_a);  // (rank, cols)
  const std::vector<double> b = read_numbers(reader, *part.lora_b);  // (rows, rank)
  const auto cols = static_cast<size_t>(part.stored->cols);
  const auto rank = static_cast<size_t>(part.lora_a->rows);
  for (size_t i = 0; i < b.size(); ++i) {
    const double factor = scale * b[i];
    double* row = weight.data() + i / rank * cols;
    const double* of_a = a.data() + i % rank * cols;
    for (size_t col = 0; col < cols; ++col) row[col] += factor * of_a[col];
  }
  std::vector<unsigned char> bytes(weight.size() * static_cast<size_t>(size_in_bytes(dtype)));
  convert_elements(DType::fp64, weight.data(), dtype, bytes.data(),
                   static_cast<int64_t>(weight.size()));
  return bytes;
}

std::vector<unsigned char> bytes_of(ShardReader& reader, const HfTensor& tensor, double scale) {
  const DType dtype = tensor.header.dtype;
  const auto read = [&](const HfPart& part) {
    return part.lora_a != nullptr ? read_merged(reader, part, scale, dtype)
                                  : read_whole(reader, *part.stored, dtype);
  };
  if (tensor.parts.front().place.is_ours) return read(tensor.parts.front());
  std::vector<unsigned char> whole(static_cast<size_t>(tensor.header.size_bytes()));
  for (const HfPart& part : tensor.parts) {
    const HfImages images = {part.stored->rows, part.stored->cols, size_in_bytes(dtype)};
    copy_to_place(part.place, images, read(part).data(), whole.data());
  }
  return whole;
}

// Tensors in their order, cut where a file would get too large.
std::vector<std::vector<HfTensor>> files_of(const std::vector<HfTensor>& tensors) {
  std::vector<std::vector<HfTensor>> files(1);
  int64_t bytes = 0;
  for (const HfTensor& tensor : tensors) {
    const int64_t more = tensor.header.size_bytes();
    if (bytes > 0 && bytes + more > kLargestFileBytes) {
      files.emplace_back();
      bytes = 0;
    }
    bytes += more;
    files.back().push_back(tensor);
  }
  return files;
}

std::string file_name(size_t number, size_t count) {
  if (count == 1) return "model.safetensors";
  char text[64];
  std::snprintf(text, sizeof text, "model-%05zu-of-%05zu.safetensors", number, count);
  return text;
}

void write_file(ShardReader& reader, const fs::path& path, const std::vector<HfTensor>& tensors,
                double scale) {
  std::vector<SafeTensor> headers;
  headers.reserve(tensors.size());
  for (const HfTensor& tensor : tensors) headers.push_back(tensor.header);
  write_safetensors(path, headers,
                    [&](size_t index) { return bytes_of(reader, tensors[index], scale); });
}

void write_model(const fs::path& folder, ShardReader& reader, const Plan& plan,
                 const std::vector<HfTensor>& tensors) {
  const std::vector<std::vector<HfTensor>> files = files_of(tensors);
  Json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", Json::object()}};
  int64_t total_bytes = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string name = file_name(i + 1, files.size());
    write_file(reader, folder / name, files[i], plan.lora.scale());
    for (const HfTensor& tensor : files[i]) {
      index["weight_map"][tensor.header.name] = name;
      total_bytes += tensor.header.size_bytes();
    }
  }
  index["metadata"]["total_size"] = total_bytes;
  if (files.size() > 1)
    write_durably(folder / "model.safetensors.index.json", index.dump(2) + "\n");
  Json config = parse_json(plan.model.config_json, "the model of the plan");
  config.erase("quantization_config");  // what is written here is not packed
  const DType dtype = tensors.front().header.dtype;
  config["torch_dtype"] = dtype == DType::bf16   ? "bfloat16"
                          : dtype == DType::fp64 ? "float64"
                                                 : "float32";
  write_durably(folder / "config.json", config.dump(2) + "\n");
}

// PEFT's names of the modules with adapters. Its own "all-linear" would take routers too.
std::vector<std::string> target_modules(const Plan& plan, const std::vector<HfTensor>& tensors) {
  const auto& targets = plan.lora.targets;
  if (std::find(targets.begin(), targets.end(), "all-linear") == targets.end()) return targets;
  std::set<std::string> names;
  for (const HfTensor& tensor : tensors) {
    const std::string module = tensor.header.name.substr(0, tensor.header.name.find(".lora_"));
    names.insert(module.substr(module.rfind('.') + 1));
  }
  return {names.begin(), names.end()};
}

// What the adapters belong on: the weights that their job began from, else the network's name.
std::string base_model(const Manifest& manifest, const Plan& plan) {
  const auto init = manifest.state.find(std::string(kInitState));
  return init != manifest.state.end() ? init->second : plan.model.name;
}

// The keys that every PEFT since 0.5 knows (github.com/huggingface/peft, LoraConfig).
void write_adapter(const fs::path& folder, ShardReader& reader, const Manifest& manifest,
                   const Plan& plan, const std::vector<HfTensor>& tensors) {
  write_file(reader, folder / "adapter_model.safetensors", tensors, 0);
  const nlohmann::json config = {{"alpha_pattern", nlohmann::json::object()},
                                 {"base_model_name_or_path", base_model(manifest, plan)},
                                 {"bias", "none"},
                                 {"fan_in_fan_out", plan.model.model_type == "gpt2"},
                                 {"inference_mode", true},
                                 {"init_lora_weights", true},
                                 {"lora_alpha", plan.lora.alpha},
                                 {"lora_dropout", 0.0},
                                 {"modules_to_save", nullptr},
                                 {"peft_type", "LORA"},
                                 {"r", plan.lora.rank},
                                 {"rank_pattern", nlohmann::json::object()},
                                 {"target_modules", target_modules(plan, tensors)},
                                 {"task_type", "CAUSAL_LM"}};
  write_durably(folder / "adapter_config.json", config.dump(2) + "\n");
}

// What reads text for these weights, if the run has it.
void copy_tokenizer(const fs::path& checkpoint_dir, const fs::path& folder) {
  const auto tokenizer = tokenizer_of_run(checkpoint_dir);
  if (!tokenizer) return;
  for (const auto& file : fs::directory_iterator(*tokenizer)) {
    if (file.is_regular_file())
      write_durably(folder / file.path().filename(), read_text_file(file.path()));
  }
}

// "export-hf: DIR ..." where the checkpoint has not what is asked for.
void check_task(const Plan& plan, Export what, const fs::path& checkpoint_dir) {
  const bool is_lora = plan.lora.rank > 0;
  if (is_lora == (what != Export::model)) return;
  throw ConfigError(concat(checkpoint_dir.string(),
                           is_lora
                               ? ": of a LoRA job; valid: merge, which adds the adapters to the "
                                 "weights, or export-adapter"
                               : ": no adapters in it; valid: export-hf"));
}

}  // namespace

std::string export_checkpoint(const fs::path& checkpoint_dir, Export what, const fs::path& given) {
  const fs::path out = given.has_filename() ? given : given.parent_path();  // "folder/" too
  const Manifest manifest = read_manifest(checkpoint_dir);
  const Plan plan = parse_plan(manifest.plan_json, (checkpoint_dir / kManifestFile).string());
  check_task(plan, what, checkpoint_dir);
  if (fs::exists(out)) throw ConfigError(concat(out.string(), ": exists; valid: a new folder"));
  const std::vector<HfTensor> tensors =
      what == Export::adapter ? peft_tensors(plan, manifest) : hf_tensors(plan, manifest);

  const fs::path folder = concat(out.string(), ".tmp-", ::getpid());
  std::error_code code;
  fs::create_directory(folder, code);
  if (code) {
    throw ConfigError(concat(out.string(), ": cannot be made: ", code.message(),
                             "; valid: a new folder in one that exists and is yours"));
  }
  try {
    ShardReader reader(checkpoint_dir, manifest);
    if (what == Export::adapter) {
      write_adapter(folder, reader, manifest, plan, tensors);
    } else {
      write_model(folder, reader, plan, tensors);
    }
    copy_tokenizer(checkpoint_dir, folder);
    sync_directory(folder);
    fs::rename(folder, out);
    sync_directory(fs::absolute(out).parent_path());
  } catch (...) {
    fs::remove_all(folder, code);
    throw;
  }
  int64_t bytes = 0;
  for (const HfTensor& tensor : tensors) bytes += tensor.header.size_bytes();
  const bool is_of_4_bits = what == Export::merged && plan.lora.base_bits != kUnquantizedBits;
  return concat(out.string(), ": ", tensors.size(), " tensors, ", bytes, " bytes of step ",
                manifest.step,
                is_of_4_bits ? concat(", adapters added into the base of ", plan.lora.base_bits,
                                      " bits that they were trained on; for another base: "
                                      "export-adapter")
                             : std::string());
}

}  // namespace argosy
