// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

namespace argosy {
namespace {

std::string line_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// A number of /sys/devices/system/cpu/cpuN/topology; `fallback` where the system does not tell.
int topology(int cpu, const char* file, int fallback) {
  std::istringstream in(
      line_of("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + file));
  int value = fallback;
  return in >> value ? value : fallback;
}

std::optional<double> cpu_quota() {
  if (const auto quota = parse_cpu_quota(line_of("/sys/fs/cgroup/cpu.max"))) return quota;
  const std::string v1 = "/sys/fs/cgroup/cpu/cpu.cfs_";
  return parse_cpu_quota(line_of(v1 + "quota_us") + " " + line_of(v1 + "period_us"));
}

}  // namespace

std::vector<int> cpus_near_pci_device(std::string_view address, const std::filesystem::path& root) {
  std::string name(address);  // sysfs has it in small letters
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return parse_cpu_list(line_of(root / "sys/bus/pci/devices" / name / "local_cpulist"));
}

bool keep_to_cpus(const std::vector<int>& cpus) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  cpu_set_t kept;
  CPU_ZERO(&kept);
  for (const int cpu : cpus) {
    if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &kept);
  }
  if (CPU_COUNT(&kept) == 0 || CPU_COUNT(&kept) == CPU_COUNT(&allowed)) return false;
  return ::sched_setaffinity(0, sizeof kept, &kept) == 0;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  std::istringstream ranges{std::string(text)};
  for (std::string range; std::getline(ranges, range, ',');) {
    std::istringstream ends(range);
    int first = 0, last = 0;
    char dash = 0;
    if (!(ends >> first)) continue;
    if (!(ends >> dash >> last)) last = first;
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::optional<double> parse_cpu_quota(std::string_view text) {
  std::istringstream words{std::string(text)};
  double quota_us = 0, period_us = 0;
  if (!(words >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return std::nullopt;
  return quota_us / period_us;
}

int64_t Cores::count() const {
  const auto all = static_cast<int64_t>(list.size());
  if (!quota) return std::max<int64_t>(all, 1);
  return std::clamp<int64_t>(static_cast<int64_t>(std::floor(*quota)), 1,
                             std::max<int64_t>(all, 1));
}

Cores usable_cores() {
  Cores cores;
  cores.quota = cpu_quota();
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {  // more CPUs than the mask holds
    cores.list.resize(std::max(1u, std::thread::hardware_concurrency()));
    return cores;
  }
  cores.whole_machine = CPU_COUNT(&allowed) >= sysconf(_SC_NPROCESSORS_ONLN);
  const std::vector<int> small = parse_cpu_list(line_of("/sys/devices/cpu_atom/cpus"));
  std::map<std::pair<int, int>, Core> by_place;  // (socket, core in it)
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    Core& core = by_place[{topology(cpu, "physical_package_id", 0), topology(cpu, "core_id", cpu)}];
    core.cpus.push_back(cpu);
    core.is_small = std::find(small.begin(), small.end(), cpu) != small.end();
  }
  for (const auto& [_, core] : by_place) cores.list.push_back(core);
  std::stable_partition(cores.list.begin(), cores.list.end(),
                        [](const Core& core) { return !core.is_small; });
  return cores;
}

}  // namespace argosy
