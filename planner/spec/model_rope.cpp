// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rotary embedding and its extensions to longer contexts, as Transformers' modeling_rope_utils
// defines them: RoPE (arXiv 2104.09864), position interpolation (2306.15595), YaRN (2309.00071),
// and the frequency-dependent scaling of Llama 3.1.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "planner/spec/check.h"
#include "planner/spec/model.h"
#include "planner/spec/model_reading.h"

namespace argosy {

namespace {

// YaRN's softmax temperature (equation 22 of the paper), folded into cos and sin.
double yarn_temperature(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

void read_yarn(JsonObject& scaling, RopeSpec& rope, int64_t max_positions) {
  rope.factor = scaling.positive_number("factor");
  rope.original_max_positions =
      scaling.positive_integer("original_max_position_embeddings", max_positions);
  rope.beta_fast = scaling.positive_number("beta_fast", 32.0);
  rope.beta_slow = scaling.positive_number("beta_slow", 1.0);
  const double mscale = scaling.number("mscale", 0.0);
  const double mscale_all_dim = scaling.number("mscale_all_dim", 0.0);
  const double temperature =
      mscale != 0.0 && mscale_all_dim != 0.0
          ? yarn_temperature(rope.factor, mscale) / yarn_temperature(rope.factor, mscale_all_dim)
          : yarn_temperature(rope.factor, 1.0);
  rope.attention_factor = scaling.positive_number("attention_factor", temperature);
  if (mscale_all_dim != 0.0) {
    rope.score_factor = std::pow(yarn_temperature(rope.factor, mscale_all_dim), 2.0);
  }
  rope.truncates = scaling.boolean("truncate", true);
}

void read_llama3(JsonObject& scaling, RopeSpec& rope) {
  rope.factor = scaling.positive_number("factor");
  rope.low_freq_factor = scaling.positive_number("low_freq_factor");
  rope.high_freq_factor = scaling.positive_number("high_freq_factor");
  rope.original_max_positions = scaling.positive_integer("original_max_position_embeddings");
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    scaling.fail("high_freq_factor", concat("must exceed low_freq_factor=", rope.low_freq_factor));
  }
}

// Wavelengths shorter than original/high are kept, longer than original/low are interpolated, and
// those in between are blended.
double llama3_frequency(const RopeSpec& rope, double frequency) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(rope.original_max_positions);
  if (wavelength < original / rope.high_freq_factor) return frequency;
  if (wavelength > original / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (original / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

// The pair of dimensions that turns `rotations` times within the original context.
double yarn_dimension(const RopeSpec& rope, double turning_dim, double rotations) {
  const auto original = static_cast<double>(rope.original_max_positions);
  return turning_dim * std::log(original / (2.0 * std::numbers::pi * rotations)) /
         (2.0 * std::log(rope.theta));
}

// What Transformers assumes where the config says nothing: of gpt-oss its own YaRN.
RopeSpec rope_without_scaling(RopeSpec rope, const ModelSpec& model) {
  if (model.model_type != "gpt_oss") return rope;
  rope.type = "yarn";
  rope.factor = 32.0;
  rope.original_max_positions = 4096;
  rope.attention_factor = yarn_temperature(rope.factor, 1.0);
  rope.truncates = false;
  return rope;
}

}  // namespace

RopeSpec read_rope(JsonObject& config, double default_theta, const ModelSpec& model,
                   double turning_part) {
  RopeSpec rope;
  rope.turning_part = turning_part;
  rope.theta = config.positive_number("rope_theta", default_theta);
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  config.ignore("rope_scaling");
  if (!config.has(key)) return rope_without_scaling(rope, model);
  JsonObject scaling = config.object(key);
  rope.theta = scaling.positive_number("rope_theta", rope.theta);
  const char* type_key = scaling.has("rope_type") ? "rope_type" : "type";
  scaling.ignore("type");
  rope.type = scaling.text(type_key, "default");
  if (rope.type == "linear") {
    rope.factor = scaling.positive_number("factor");
  } else if (rope.type == "llama3") {
    read_llama3(scaling, rope);
  } else if (rope.type == "yarn") {
    read_yarn(scaling, rope, model.max_positions);
  } else if (rope.type != "default") {
    scaling.fail(type_key, "cannot be represented; valid: default, linear, llama3, yarn");
  }
  rope.turning_part = scaling.number("partial_rotary_factor", turning_part);
  if (turning_part == kWholeHeads && rope.turning_part != kWholeHeads) {
    scaling.fail("partial_rotary_factor", "cannot be represented; only 1 is valid");
  }
  scaling.reject_unknown_keys();  // a key that scales positions must not be passed over
  return rope;
}

double ModelSpec::attention_scale() const {
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  return has_latent_attention() ? scale * rope.score_factor : scale;
}

// Rounded down, as Transformers does.
int64_t ModelSpec::turning_dim() const {
  if (has_latent_attention()) return latent.rope_dim;
  return static_cast<int64_t>(static_cast<double>(head_dim) * rope.turning_part);
}

std::vector<double> rope_inverse_frequencies(const RopeSpec& rope, int64_t turning_dim) {
  CHECK(turning_dim > 0 && turning_dim % 2 == 0, turning_dim, " elements of a head");
  const auto size = static_cast<double>(turning_dim);
  std::vector<double> frequencies(static_cast<size_t>(turning_dim / 2));  // [D/2]
  double low = 0.0, high = 0.0;
  if (rope.type == "yarn") {
    low = yarn_dimension(rope, size, rope.beta_fast);
    high = yarn_dimension(rope, size, rope.beta_slow);
    low = std::max(rope.truncates ? std::floor(low) : low, 0.0);
    high = std::min(rope.truncates ? std::ceil(high) : high, size - 1.0);
    if (low == high) high += 0.001;  // as Transformers: no division by zero
  }
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double frequency = std::pow(rope.theta, -2.0 * static_cast<double>(i) / size);
    if (rope.type == "linear") {
      frequencies[i] = frequency / rope.factor;
    } else if (rope.type == "llama3") {
      frequencies[i] = llama3_frequency(rope, frequency);
    } else if (rope.type == "yarn") {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      frequencies[i] = frequency / rope.factor * ramp + frequency * (1.0 - ramp);
    } else {
      CHECK(rope.type == "default", rope.type);
      frequencies[i] = frequency;
    }
  }
  return frequencies;
}

}  // namespace argosy
