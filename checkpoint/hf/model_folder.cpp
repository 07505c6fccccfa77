// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/model_folder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "checkpoint/convert.h"
#include "checkpoint/copy_common.h"
#include "checkpoint/exchange.h"
#include "checkpoint/manifest.h"
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

// A whole tensor as ours, row-major: where the file has it so, in the file.
struct Image {
  DType dtype = DType::fp32;
  const unsigned char* data = nullptr;
  std::vector<unsigned char> memory;  // of what had to be turned or widened
};

float from_half(uint16_t bits) {
  const int sign = bits >> 15, exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = std::ldexp(static_cast<float>(fraction + (exponent > 0 ? 1024 : 0)),
                           std::max(exponent, 1) - 25);
  if (exponent == 31) value = fraction == 0 ? HUGE_VALF : NAN;
  return sign != 0 ? -value : value;
}

// Columns of (cols, width) as rows.
std::vector<unsigned char> turned(const TensorSpec& spec, const FoundTensor& found,
                                  int64_t first_col) {
  const int64_t width = found.shape.back();
  const int64_t each = found.element_bytes();
  std::vector<unsigned char> rows(static_cast<size_t>(spec.size() * each));
  for (int64_t row = 0; row < spec.rows; ++row) {
    for (int64_t col = 0; col < spec.cols; ++col) {
      std::memcpy(rows.data() + (row * spec.cols + col) * each,
                  found.data + (col * width + first_col + row) * each, static_cast<size_t>(each));
    }
  }
  return rows;
}

std::vector<unsigned char> widened(const unsigned char* halves, int64_t elements) {
  std::vector<unsigned char> wide(static_cast<size_t>(elements) * sizeof(float));
  for (int64_t i = 0; i < elements; ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, halves + 2 * i, sizeof bits);
    const float value = from_half(bits);
    std::memcpy(wide.data() + sizeof(float) * static_cast<size_t>(i), &value, sizeof value);
  }
  return wide;
}

Image image_of(const TensorSpec& spec, const FoundTensor& found, const HfPlace& place) {
  Image image{.data = found.data, .memory = {}};
  if (found.dtype == "F64") image.dtype = DType::fp64;
  if (found.dtype == "BF16") image.dtype = DType::bf16;
  const auto keep = [&](std::vector<unsigned char> memory) {
    image.memory = std::move(memory);
    image.data = image.memory.data();
  };
  if (place.transposed) keep(turned(spec, found, place.first_col));
  if (found.dtype == "F16") keep(widened(image.data, spec.size()));
  return image;
}

}  // namespace

bool is_hf_folder(const fs::path& path) {
  return fs::exists(path / "config.json") && !fs::exists(path / kManifestFile);
}

HfModel::HfModel(const fs::path& folder, const ModelSpec& model) {
  if (model.model_type == "gpt_oss" || model.moe.has_balancing_bias()) {
    throw ConfigError(concat(folder.string(), ": model_type ", model.model_type,
                             ": weights of Hugging Face are not supported yet"));
  }
  const Found found = tensors_of_folder(folder);
  std::set<std::string> used;
  for (const TensorSpec& spec : model_tensors(model)) {
    const HfPlace place = hf_place(model, spec);
    const auto it = find(found, place.name);
    if (it == found.end())
      throw ConfigError(concat(folder.string(), ": no tensor ", place.name, " of the model"));
    if (it->second.shape != place.shape) {
      throw ConfigError(concat(folder.string(), ": ", it->first, " is ", text_of(it->second.shape),
                               ", the model has ", text_of(place.shape)));
    }
    used.insert(it->first);
    tensors_.emplace(spec.name, Source{spec, it->second, place});
  }
  for (const auto& [name, tensor] : found) {
    if (used.contains(name) || may_be_left(model, name)) continue;
    throw ConfigError(concat(folder.string(), ": holds ", name, ", which the model has not"));
  }
}

void HfModel::fill(const std::vector<TensorPiece>& pieces) const {
  std::map<std::string, std::vector<const TensorPiece*>> wanted;
  for (const TensorPiece& piece : pieces) {
    if (!piece.box.empty()) wanted[piece.name].push_back(&piece);
  }
  for (const auto& [name, parts] : wanted) {
    const auto it = tensors_.find(name);
    CHECK(it != tensors_.end(), name, " is no weight of the model");
    const Source& source = it->second;
    const Image image = image_of(source.spec, source.found, source.place);
    for (const TensorPiece* piece : parts) {
      CHECK(can_convert(image.dtype, piece->dtype), name);
      copy_common({{0, source.spec.rows}, {0, source.spec.cols}}, image.data, image.dtype, *piece);
    }
  }
}

void load_hf_model(Communicator& world, const fs::path& folder, const ModelSpec& model,
                   const std::vector<TensorPiece>& pieces) {
  throw_if_failed(agree(world, attempt([&] { HfModel(folder, model).fill(pieces); })));
}

}  // namespace argosy
