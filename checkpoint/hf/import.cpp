// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/hf/safetensors_reader.h"
#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

using Found = std::map<std::string, FoundTensor>;

Found tensors_of_folder(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors";
  const fs::path index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    if (fs::exists(single)) return read_safetensors(single);
    throw ConfigError(concat(folder.string(), ": neither model.safetensors nor ",
                             "model.safetensors.index.json; other formats are not supported"));
  }
  const Json json = parse_json(read_text_file(index), index.string());
  if (!json.contains("weight_map") || !json["weight_map"].is_object())
    throw ConfigError(concat(index.string(), ": weight_map is missing"));
  std::map<std::string, Found> files;
  Found tensors;
  for (const auto& [name, file] : json["weight_map"].items()) {
    const std::string file_name = file.is_string() ? file.get<std::string>() : "";
    if (file_name.empty() || fs::path(file_name).has_parent_path())
      throw ConfigError(concat(index.string(), ": ", name, ": no file's name"));
    if (!files.contains(file_name)) files[file_name] = read_safetensors(folder / file_name);
    const auto found = files[file_name].find(name);
    if (found == files[file_name].end()) {
      throw ConfigError(
          concat(index.string(), ": says that ", name, " is in ", file_name, ", and it is not"));
    }
    tensors.insert(*found);
  }
  return tensors;
}

float from_half(uint16_t bits) {
  const int sign = bits >> 15, exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = std::ldexp(static_cast<float>(fraction + (exponent > 0 ? 1024 : 0)),
                           std::max(exponent, 1) - 25);
  if (exponent == 31) value = fraction == 0 ? HUGE_VALF : NAN;
  return sign != 0 ? -value : value;
}

// Tensors of the checkpoint: in the mapped files where they lie as they are stored here, else in
// memory of their own.
class Pieces {
 public:
  void add(const TensorSpec& spec, const FoundTensor& found, const HfPlace& place) {
    const int64_t each = found.bytes / std::max<int64_t>(1, count(found));
    const unsigned char* data = found.data;
    if (place.transposed) data = cut_transposed(spec, found, place.first_col, each);
    const bool is_half = found.dtype == "F16";
    if (is_half) data = widen(data, spec.size());
    const DType dtype = found.dtype == "F64"    ? DType::fp64
                        : found.dtype == "BF16" ? DType::bf16
                                                : DType::fp32;
    pieces.push_back({spec.name,
                      "parameter",
                      spec.rows,
                      spec.cols,
                      dtype,
                      {{0, spec.rows}, {0, spec.cols}},
                      const_cast<unsigned char*>(data)});  // a save only reads
  }

  std::vector<TensorPiece> pieces;

 private:
  static int64_t count(const FoundTensor& found) {
    int64_t elements = 1;
    for (const int64_t size : found.shape) elements *= size;
    return elements;
  }

  unsigned char* own(int64_t bytes) {
    return memory_.emplace_back(static_cast<size_t>(bytes)).data();
  }

  // Columns of (cols, width) as rows.
  unsigned char* cut_transposed(const TensorSpec& spec, const FoundTensor& found, int64_t first_col,
                                int64_t each) {
    const int64_t width = found.shape.back();
    unsigned char* rows = own(spec.size() * each);
    for (int64_t row = 0; row < spec.rows; ++row) {
      for (int64_t col = 0; col < spec.cols; ++col) {
        std::memcpy(rows + (row * spec.cols + col) * each,
                    found.data + (col * width + first_col + row) * each, static_cast<size_t>(each));
      }
    }
    return rows;
  }

  unsigned char* widen(const unsigned char* halves, int64_t elements) {
    unsigned char* wide = own(elements * static_cast<int64_t>(sizeof(float)));
    for (int64_t i = 0; i < elements; ++i) {
      uint16_t bits = 0;
      std::memcpy(&bits, halves + 2 * i, sizeof bits);
      const float value = from_half(bits);
      std::memcpy(wide + sizeof(float) * static_cast<size_t>(i), &value, sizeof value);
    }
    return wide;
  }

  std::vector<std::vector<unsigned char>> memory_;
};

// GPT-2's files lack the prefix where the bare network was saved.
Found::const_iterator find(const Found& found, const std::string& name) {
  constexpr std::string_view kPrefix = "transformer.";
  const auto it = found.find(name);
  if (it != found.end() || !name.starts_with(kPrefix)) return it;
  return found.find(name.substr(kPrefix.size()));
}

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += concat(text.empty() ? "" : ", ", size);
  return concat("(", text, ")");
}

// Masks and frequencies that older files hold, and the head of a tied model: nothing to be learnt.
bool may_be_left(const ModelSpec& model, const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq") || (model.tied_head && name == "lm_head.weight");
}

Pieces pieces_of(const ModelSpec& model, const Found& found, const fs::path& folder) {
  Pieces pieces;
  std::set<std::string> used;
  for (const TensorSpec& spec : model_tensors(model)) {
    const HfPlace place = hf_place(model, spec);
    const auto it = find(found, place.name);
    if (it == found.end())
      throw ConfigError(concat(folder.string(), ": no tensor ", place.name, " of its config.json"));
    if (it->second.shape != place.shape) {
      throw ConfigError(concat(folder.string(), ": ", it->first, " is ", text_of(it->second.shape),
                               ", its config.json makes it ", text_of(place.shape)));
    }
    used.insert(it->first);
    pieces.add(spec, it->second, place);
  }
  for (const auto& [name, tensor] : found) {
    if (used.contains(name) || may_be_left(model, name)) continue;
    throw ConfigError(concat(folder.string(), ": holds ", name, ", which the model of its ",
                             "config.json has not"));
  }
  return pieces;
}

// One rank, one sample: what --generate needs.
Plan plan_of(const ModelSpec& model) {
  constexpr int64_t kSeqLen = 1024;
  Plan plan;
  plan.model = model;
  plan.seq_len = std::min(kSeqLen, model.max_positions);
  plan.precision = Precision::fp32;
  plan.layers_per_stage = {model.num_layers};
  plan.recompute.assign(static_cast<size_t>(model.num_layers), Recompute::none);
  return plan;
}

}  // namespace

std::string import_model(const fs::path& folder, const fs::path& out,
                         std::vector<std::string>* warnings) {
  ModelReading reading = read_model(folder);
  *warnings = std::move(reading.warnings);
  const ModelSpec& model = reading.model;
  if (model.model_type == "gpt_oss" || model.moe.has_balancing_bias())
    throw ConfigError(concat(folder.string(), ": model_type ", model.model_type,
                             ": import-hf is not supported yet"));
  if (fs::exists(out)) throw ConfigError(concat(out.string(), ": exists; valid: a new folder"));
  const Found found = tensors_of_folder(folder);
  const Pieces pieces = pieces_of(model, found, folder);
  const auto world = make_self_communicator();
  save_checkpoint(*world, out, {.step = 0, .plan_json = to_json(plan_of(model)), .state = {}},
                  pieces.pieces);
  return concat(checkpoint_path(out, 0).string(), ": ", pieces.pieces.size(), " tensors of ",
                folder.string(), "; start from it with argosy-train --init ", out.string());
}

}  // namespace argosy
