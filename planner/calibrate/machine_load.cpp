// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/machine_load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Of all cores. What a machine does by itself is a percent or two.
constexpr double kMostOfOthers = 0.10;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

CoreSeconds core_seconds(std::string_view proc_stat, double ticks_per_s) {
  std::istringstream words{std::string(proc_stat.substr(0, proc_stat.find('\n')))};
  std::string label;
  // user nice system idle iowait irq softirq steal; guests, behind them, are in user and nice.
  double ticks[8] = {};
  words >> label;
  for (double& count : ticks) words >> count;
  if (label != "cpu" || !words) return {};
  const double idle = ticks[3] + ticks[4];
  double all = 0;
  for (const double count : ticks) all += count;
  return {(all - idle) / ticks_per_s, idle / ticks_per_s};
}

CoreSeconds core_seconds_now() {
  std::ifstream file("/proc/stat");
  std::string line;
  std::getline(file, line);
  return core_seconds(line, static_cast<double>(sysconf(_SC_CLK_TCK)));
}

double child_seconds_now() {
  rusage use{};
  if (getrusage(RUSAGE_CHILDREN, &use) != 0) return 0;
  return seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
}

std::string load_warning(const CoreSeconds& before, const CoreSeconds& after, double own_s) {
  const double busy = after.busy - before.busy, all = busy + after.idle - before.idle;
  if (!(all > 0)) return "";
  const double share = (busy - own_s) / all;
  if (!(share > kMostOfOthers)) return "";
  return concat("--calibrate: other programs had ", format_percent(share),
                " of this machine's cores while they were measured: rates of products, memory and "
                "links may be far too low; calibrate again when those have ended (top names them)");
}

}  // namespace argosy
