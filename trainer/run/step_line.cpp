// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/step_line.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "planner/spec/check.h"

namespace argosy {

namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

std::string percent(const char* pattern, double fraction) {
  return format(pattern, 100 * fraction) + "%";
}

// Fixed point where that shows three digits, else scientific.
std::string format_norm(double norm) {
  const bool is_tiny_or_huge = norm != 0 && (norm < 1e-3 || norm >= 1e5);
  return format(is_tiny_or_huge ? "%.2e" : "%.3f", norm);
}

std::string bubble_and_comm(const StepMetrics& metrics) {
  std::string text;
  if (metrics.bubble_fraction) text += " bubble " + percent("%.0f", *metrics.bubble_fraction);
  if (metrics.exposed_comm_s && metrics.step_s > 0) {
    text += " comm " + percent("%.0f", *metrics.exposed_comm_s / metrics.step_s);
  }
  return text.empty() ? text : concat(" |", text);
}

std::string experts(const StepMetrics& metrics) {
  std::string text;
  if (metrics.aux_loss) text += " aux " + format("%.4f", *metrics.aux_loss);
  if (metrics.moe_imbalance) text += " imb " + format("%.2f", *metrics.moe_imbalance);
  if (metrics.moe_dropped) text += " drop " + percent("%.1f", *metrics.moe_dropped);
  return text.empty() ? text : concat(" |", text);
}

std::string modules(const StepMetrics& metrics) {
  std::string text;
  for (const double loss : metrics.mtp_losses) text += " " + format("%.4f", loss);
  return text.empty() ? text : concat(" | mtp", text);
}

std::string memory(const StepMetrics& metrics, int64_t limit_bytes) {
  const std::string limit = limit_bytes > 0 ? "/" + format_gib(limit_bytes) : "";
  return concat(" | mem ", format_gib(metrics.peak_bytes), limit, " GiB");
}

}  // namespace

std::string step_line(const StepMetrics& metrics, const StepLineContext& context) {
  std::string line = concat(
      "step ", metrics.step, "/", context.total_steps, " | loss ", format("%.4f", metrics.loss),
      " | norm ", format_norm(metrics.grad_norm), " | lr ", format("%.2e", metrics.lr), " | ",
      format("%.1f", 1e3 * metrics.step_s), " ms | ", format_rate(metrics.tokens_per_s),
      " tok/s | MFU ", knows_mfu(metrics) ? percent("%.1f", metrics.mfu) : "?");
  if (context.planned_mfu) line += " (plan " + percent("%.1f", *context.planned_mfu) + ")";
  line += bubble_and_comm(metrics) + memory(metrics, context.memory_limit_bytes);
  if (context.eta_s) line += " | eta " + format_duration(*context.eta_s);
  line += experts(metrics) + modules(metrics);
  if (metrics.eval_loss) line += " | eval " + format("%.4f", *metrics.eval_loss);
  return line;
}

std::string doubt_of_peak(const StepMetrics& metrics, double peak_flops_per_s) {
  const double reached = std::max(metrics.mfu, metrics.hfu);
  if (!(reached > 1)) return "";
  return concat("step ", metrics.step, " reached ", percent("%.0f", reached), " of the peak of ",
                format("%.1f", peak_flops_per_s / 1e9),
                " GFLOP/s: that was measured while the machine was busy, and no MFU of this run ",
                "is to be trusted");
}

std::string doubt_of_step(StepMetrics* metrics, double peak_flops_per_s, bool* in_doubt) {
  std::string doubt = *in_doubt ? "" : doubt_of_peak(*metrics, peak_flops_per_s);
  if (!doubt.empty()) *in_doubt = true;
  if (*in_doubt) forget_mfu(metrics);
  return doubt;
}

std::string format_duration(double seconds) {
  const auto total = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  char text[64];
  std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", total / 3600, total / 60 % 60,
                total % 60);
  return text;
}

std::string format_rate(double per_second) {
  if (per_second < 999.5) return format("%.0f", per_second);
  if (per_second < 999.95e3) return format("%.1fk", per_second / 1e3);
  if (per_second < 999.95e6) return format("%.1fM", per_second / 1e6);
  return format("%.1fG", per_second / 1e9);
}

std::string format_gib(int64_t bytes) {
  constexpr double kGiB = 1073741824.0;
  const double gib = static_cast<double>(bytes) / kGiB;
  if (gib < 1) return format("%.2f", gib);
  const std::string text = format("%.1f", gib);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

void EtaEstimator::add_step(double step_s) {
  constexpr double kDecay = 0.95;  // averages over about the last 20 steps
  if (num_steps_++ == 0) {
    first_step_s_ = step_s;
    return;
  }
  average_s_ = kDecay * average_s_ + (1 - kDecay) * step_s;
  weight_ = kDecay * weight_ + (1 - kDecay);
}

double EtaEstimator::step_s() const {
  return weight_ > 0 ? average_s_ / weight_ : first_step_s_;
}

}  // namespace argosy
