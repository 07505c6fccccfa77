// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/hf_place.h"

#include <algorithm>
#include <cstring>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr std::string_view kFused = ".c_attn.";

// GPT-2's Linears and their biases: "Conv1D", (in, out).
bool is_conv1d(const ModelSpec& model, const std::string& name) {
  return model.model_type == "gpt2" &&
         (name.find(".attn.") != std::string::npos || name.find(".mlp.") != std::string::npos);
}

// transformer.h.0.attn.c_attn.q.weight is a part of transformer.h.0.attn.c_attn.weight.
HfPlace gpt2_place(const TensorSpec& spec) {
  HfPlace place{.name = spec.name, .shape = {spec.rows}, .is_ours = false};
  int64_t width = spec.rows;
  if (const size_t at = spec.name.find(kFused); at != std::string::npos) {
    place.name.erase(at + kFused.size(), 2);
    const char part = spec.name[at + kFused.size()];  // as large as each other
    place.first = spec.rows * (part == 'q' ? 0 : part == 'k' ? 1 : 2);
    width = 3 * spec.rows;
    place.shape = {width};
  }
  if (spec.cols > 1) place.shape.insert(place.shape.begin(), spec.cols);
  place.row_step = 1;
  place.col_step = width;
  return place;
}

// ...experts.gate_up_proj.3.gate is a part of ...experts.gate_up_proj (E, H, 2F), its columns gate
// and up in turn; ...experts.down_proj.3 of ...experts.down_proj (E, F, H).
HfPlace stacked_place(const ModelSpec& model, const TensorSpec& spec) {
  const std::string expert = concat(".", spec.expert);
  const bool is_up = spec.name.ends_with(".up"), is_pair = is_up || spec.name.ends_with(".gate");
  const size_t end = spec.name.size() - (is_up ? 3 : is_pair ? 5 : 0) - expert.size();
  HfPlace place{.name = spec.name.substr(0, end), .shape = {}, .is_ours = false};
  const int64_t step = is_pair ? 2 : 1, width = step * spec.rows;
  place.shape = {model.moe.num_experts, width};
  if (spec.cols > 1) place.shape.insert(place.shape.begin() + 1, spec.cols);
  place.first = spec.expert * spec.cols * width + (is_up ? 1 : 0);
  place.row_step = step;
  place.col_step = width;
  return place;
}

// Elements in squares that stay in a level-1 cache: one of the two sides is read or written across
// its rows.
template <typename Copy>
void for_squares(int64_t rows, int64_t cols, const Copy& copy) {
  constexpr int64_t kSide = 64;
  for (int64_t row = 0; row < rows; row += kSide) {
    for (int64_t col = 0; col < cols; col += kSide) {
      for (int64_t r = row; r < std::min(rows, row + kSide); ++r) {
        for (int64_t c = col; c < std::min(cols, col + kSide); ++c) copy(r, c);
      }
    }
  }
}

// Calls body.template operator()<T>() with an integer of so many bytes.
template <typename Body>
void dispatch_bytes(int64_t element_bytes, const Body& body) {
  switch (element_bytes) {
    case 2:
      return body.template operator()<uint16_t>();
    case 4:
      return body.template operator()<uint32_t>();
    default:
      CHECK(element_bytes == 8, "elements of ", element_bytes, " bytes");
      return body.template operator()<uint64_t>();
  }
}

// Calls copy.template operator()<T>(byte in our image, byte in theirs) for each element, a T.
template <typename Copy>
void for_elements(const HfPlace& place, const HfImages& images, const Copy& copy) {
  dispatch_bytes(images.element_bytes, [&]<typename T>() {
    constexpr int64_t kBytes = sizeof(T);
    for_squares(images.rows, images.cols, [&](int64_t row, int64_t col) {
      const int64_t at = place.first + row * place.row_step + col * place.col_step;
      copy.template operator()<T>((row * images.cols + col) * kBytes, at * kBytes);
    });
  });
}

}  // namespace

HfPlace hf_place(const ModelSpec& model, const TensorSpec& spec) {
  if (is_conv1d(model, spec.name)) return gpt2_place(spec);
  if (spec.is_expert() && model.model_type == "gpt_oss") return stacked_place(model, spec);
  HfPlace place{.name = spec.name, .shape = {spec.rows}};
  if (spec.cols > 1) place.shape.push_back(spec.cols);
  return place;
}

HfPlace peft_place(const TensorSpec& spec) {
  if (spec.name.find(kFused) != std::string::npos) {
    throw ConfigError(concat(spec.name,
                             ": q, k and v have an adapter each, PEFT has one of c_attn; ",
                             "valid: argosy-checkpoint merge, or targets without c_attn"));
  }
  return {.name = std::string(kPeftPrefix) + spec.name, .shape = {spec.rows, spec.cols}};
}

void copy_from_place(const HfPlace& place, const HfImages& images, const unsigned char* there,
                     unsigned char* ours) {
  for_elements(place, images, [&]<typename T>(int64_t in_ours, int64_t in_theirs) {
    std::memcpy(ours + in_ours, there + in_theirs, sizeof(T));
  });
}

void copy_to_place(const HfPlace& place, const HfImages& images, const unsigned char* ours,
                   unsigned char* there) {
  for_elements(place, images, [&]<typename T>(int64_t in_ours, int64_t in_theirs) {
    std::memcpy(there + in_theirs, ours + in_ours, sizeof(T));
  });
}

}  // namespace argosy
