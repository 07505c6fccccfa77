// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "checkpoint/convert.h"
#include "checkpoint/copy_common.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) append_listed(text, size);
  return concat("(", text, ")");
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

Image image_of(const HfSource& source) {
  const TensorSpec& spec = source.spec;
  const FoundTensor& found = source.found;
  Image image{.data = found.data, .memory = {}};
  const auto keep = [&](std::vector<unsigned char> memory) {
    image.memory = std::move(memory);
    image.data = image.memory.data();
  };
  if (source.scales.data != nullptr) {
    std::vector<unsigned char> values(static_cast<size_t>(spec.size()) * sizeof(float));
    unpack_mxfp4(source.packed, spec, found.data, source.scales.data,
                 reinterpret_cast<float*>(values.data()));
    keep(std::move(values));
    return image;
  }
  if (found.dtype == "F64") image.dtype = DType::fp64;
  if (found.dtype == "BF16") image.dtype = DType::bf16;
  if (!source.place.is_ours) {
    const int64_t each = found.element_bytes();
    std::vector<unsigned char> rows(static_cast<size_t>(spec.size() * each));
    copy_from_place(source.place, {spec.rows, spec.cols, each}, found.data, rows.data());
    keep(std::move(rows));
  }
  if (found.dtype == "F16") keep(widened(image.data, spec.size()));
  return image;
}

void check_shape(const std::filesystem::path& folder, const std::string& name,
                 const FoundTensor& found, const std::vector<int64_t>& shape) {
  if (found.shape == shape) return;
  throw ConfigError(concat(folder.string(), ": ", name, " is ", text_of(found.shape),
                           ", the model has ", text_of(shape)));
}

// Bytes are weights where blocks and scales of 4 bits say so, and nowhere else.
void check_is_bytes(const std::filesystem::path& folder, const std::string& name,
                    const FoundTensor& found, bool are_bytes) {
  if ((found.dtype == kPackedDtype) == are_bytes) return;
  throw ConfigError(concat(folder.string(), ": ", name, " is of dtype ", found.dtype,
                           are_bytes ? "; valid: U8" : "; valid: F64, F32, BF16, F16"));
}

}  // namespace

HfSource hf_source(const std::filesystem::path& folder, const TensorSpec& spec,
                   const HfPlace& place, const std::string& name_there, const FoundTensor& found) {
  check_shape(folder, name_there, found, place.shape);
  check_is_bytes(folder, name_there, found, false);
  return {spec, place, found};
}

HfSource packed_source(const std::filesystem::path& folder, const TensorSpec& spec,
                       const Mxfp4Place& place, const FoundTensor& blocks,
                       const FoundTensor& scales) {
  check_shape(folder, place.blocks, blocks, place.blocks_shape);
  check_shape(folder, place.scales, scales, place.scales_shape);
  check_is_bytes(folder, place.blocks, blocks, true);
  check_is_bytes(folder, place.scales, scales, true);
  return {spec, {}, blocks, place, scales};
}

void fill(const HfSources& sources, const std::vector<TensorPiece>& pieces) {
  std::map<std::string, std::vector<const TensorPiece*>> wanted;
  for (const TensorPiece& piece : pieces) {
    if (!piece.box.empty()) wanted[piece.name].push_back(&piece);
  }
  for (const auto& [name, parts] : wanted) {
    const auto it = sources.find(name);
    CHECK(it != sources.end(), name, " is not among what was found");
    const HfSource& source = it->second;
    const Image image = image_of(source);
    for (const TensorPiece* piece : parts) {
      CHECK(can_convert(image.dtype, piece->dtype), name);
      copy_common({{0, source.spec.rows}, {0, source.spec.cols}}, image.data, image.dtype, *piece);
    }
  }
}

}  // namespace argosy
