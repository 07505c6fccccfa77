// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>
#include <system_error>

#include "planner/spec/check.h"
#include "trainer/run/step_line.h"

namespace argosy {

namespace {

// ECMA-48 control sequences.
constexpr std::string_view kEraseLine = "\r\033[K";
constexpr std::string_view kResetColour = "\033[0m";

std::string_view colour_of(Emphasis emphasis) {
  switch (emphasis) {
    case Emphasis::plain:
      return "";
    case Emphasis::strong:
      return "\033[1m";
    case Emphasis::warning:
      return "\033[33m";
    case Emphasis::failure:
      return "\033[31m";
  }
  CHECK(false, "emphasis ", static_cast<int>(emphasis));
}

// mpirun gives its ranks a pseudo-terminal, wherever its own output goes: then what counts is the
// output of the process that started us (mpirun, or its daemon on another host).
bool reaches_terminal(int fd) {
  if (::isatty(fd) != 1) return false;
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return true;
  std::error_code code;
  const std::string target =
      std::filesystem::read_symlink(concat("/proc/", ::getppid(), "/fd/", fd), code).string();
  return target.starts_with("/dev/pts/") || target.starts_with("/dev/tty");
}

}  // namespace

Terminal detect_terminal(int fd) {
  Terminal terminal;
  const char* type = std::getenv("TERM");
  terminal.rewrites = reaches_terminal(fd) && type != nullptr && std::string_view(type) != "dumb";
  const char* no_color = std::getenv("NO_COLOR");
  terminal.colours = terminal.rewrites && (no_color == nullptr || *no_color == '\0');
  struct winsize size = {};
  if (terminal.rewrites && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.columns = size.ws_col;
  }
  return terminal;
}

Progress::~Progress() {
  erase_status();
}

void Progress::erase_status() {
  if (!has_status_) return;
  out_ << kEraseLine << std::flush;
  has_status_ = false;
}

void Progress::line(std::string_view text, Emphasis emphasis) {
  erase_status();
  const std::string_view colour = terminal_.colours ? colour_of(emphasis) : "";
  out_ << colour << text << (colour.empty() ? "" : kResetColour) << '\n' << std::flush;
}

void Progress::status(std::string_view text) {
  if (!terminal_.rewrites) return;
  // One column stays free: a full line would wrap and could not be erased.
  const auto columns = static_cast<size_t>(std::max(1, terminal_.columns - 1));
  out_ << kEraseLine << text.substr(0, columns) << std::flush;
  has_status_ = true;
}

std::string progress_bar(int64_t step, int64_t total_steps, double eta_s) {
  constexpr int64_t kWidth = 20;
  const int64_t total = std::max<int64_t>(1, total_steps);
  const int64_t done = std::clamp<int64_t>(step, 0, total);
  const std::string percent = std::to_string(100 * done / total);
  const auto filled = static_cast<size_t>(kWidth * done / total);
  return concat("[", std::string(filled, '#'), std::string(kWidth - filled, '.'), "] ",
                std::string(3 - percent.size(), ' '), percent, "% step ", step, "/", total_steps,
                " | eta ", format_duration(eta_s));
}

}  // namespace argosy
