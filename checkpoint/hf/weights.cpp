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

HfSource hf_source(const std::filesystem::path& folder, const TensorSpec& spec,
                   const HfPlace& place, const std::string& name_there, const FoundTensor& found) {
  if (found.shape != place.shape) {
    throw ConfigError(concat(folder.string(), ": ", name_there, " is ", text_of(found.shape),
                             ", the model has ", text_of(place.shape)));
  }
  return {spec, place, found};
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
    const Image image = image_of(source.spec, source.found, source.place);
    for (const TensorPiece* piece : parts) {
      CHECK(can_convert(image.dtype, piece->dtype), name);
      copy_common({{0, source.spec.rows}, {0, source.spec.cols}}, image.data, image.dtype, *piece);
    }
  }
}

}  // namespace argosy
