// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/other_releases.h"

#include <regex>

namespace argosy {

namespace {

constexpr char kReleaseMark = '@';  // between a row's id and the release

}  // namespace

std::vector<PublishedRun> other_releases(const PublishedRun& run) {
  static const std::regex kList("container [0-9.]+ \\(same config also ([^)]*)\\)");
  static const std::regex kEntry("([0-9.]+): ([0-9]+) tok/s");
  std::vector<PublishedRun> runs;
  std::smatch list;
  if (!std::regex_search(run.notes, list, kList)) return runs;
  const std::string entries = list[1];
  for (std::sregex_iterator entry(entries.begin(), entries.end(), kEntry), end; entry != end;
       ++entry) {
    PublishedRun other = run;
    const std::string release = (*entry)[1];
    other.id += kReleaseMark + release;
    other.notes = std::regex_replace(run.notes, kList, "container " + release);
    other.meas_tokens_per_s_per_gpu = std::stod((*entry)[2]);
    for (std::optional<double>* measured :
         {&other.meas_tflops_per_gpu, &other.meas_mfu, &other.meas_hfu, &other.meas_iter_s,
          &other.meas_peak_mem_gb, &other.meas_days}) {
      measured->reset();
    }
    runs.push_back(std::move(other));
  }
  return runs;
}

std::string row_of(const PublishedRun& run) {
  return run.id.substr(0, run.id.find(kReleaseMark));
}

}  // namespace argosy
