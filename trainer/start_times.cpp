// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/start_times.h"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>

#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Seconds from boot to the start of a process: field 22 of proc(5)'s stat, in clock ticks. The
// name, field 2, stands in brackets and may hold anything.
std::optional<double> process_start_s(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line) || line.rfind(')') == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  constexpr int kFirst = 3, kStartTime = 22;
  std::string skipped;
  for (int field = kFirst; field < kStartTime; ++field) fields >> skipped;
  double ticks = 0;
  if (!(fields >> ticks)) return std::nullopt;
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double since_boot_s() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  constexpr double kNano = 1e-9;
  return static_cast<double>(now.tv_sec) + kNano * static_cast<double>(now.tv_nsec);
}

}  // namespace

StartTimes::StartTimes() {
  const double now_s = since_boot_s();
  const std::optional<double> own_s = process_start_s("self");
  const std::optional<double> parent_s = process_start_s(std::to_string(getppid()));
  if (!own_s) return;
  // Set by Open MPI for each rank that mpirun starts; without it the parent is a shell, as old as
  // the user's session.
  const bool is_under_mpirun = std::getenv("OMPI_COMM_WORLD_RANK") != nullptr;
  if (parent_s && is_under_mpirun) phases_.emplace_back("mpirun", *own_s - *parent_s);
  phases_.emplace_back("load", now_s - *own_s);
}

void StartTimes::lap(std::string_view phase) {
  const Clock::time_point now = Clock::now();
  phases_.emplace_back(phase, std::chrono::duration<double>(now - last_).count());
  last_ = now;
}

double StartTimes::total_s() const {
  double total = 0;
  for (const auto& [_, seconds] : phases_) total += seconds;
  return total;
}

std::string StartTimes::text() const {
  std::string text = concat(format_fixed(total_s(), 2), " s:");
  for (const auto& [phase, seconds] : phases_) {
    text +=
        concat(&phase == &phases_.front().first ? " " : ", ", phase, " ", format_fixed(seconds, 2));
  }
  return text;
}

}  // namespace argosy
