// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/progress.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>
#include <system_error>

#include "planner/report/text_table.h"
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

// An open file of this process or another one; closed with the object.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_WRONLY | O_NOCTTY)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Columns of the terminal that `fd` is, 0 if it is none.
int terminal_columns(int fd, int unknown) {
  if (::isatty(fd) != 1) return 0;
  struct winsize size = {};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : unknown;
}

// mpirun gives its ranks a pseudo-terminal without a size, wherever its own output goes: then what
// counts is the output of the process that started us (mpirun, or its daemon on another host).
int columns_where_it_ends(int fd, int unknown) {
  const int own = terminal_columns(fd, unknown);
  if (own == 0 || std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return own;
  const std::string path = concat("/proc/", ::getppid(), "/fd/", fd);
  // Only a terminal is opened: to open a pipe would make us one of its writers.
  std::error_code code;
  const std::string target = std::filesystem::read_symlink(path, code).string();
  if (!target.starts_with("/dev/pts/") && !target.starts_with("/dev/tty")) return 0;
  return terminal_columns(OpenFile(path).fd(), unknown);
}

}  // namespace

Terminal detect_terminal(int fd) {
  Terminal terminal;
  const int columns = columns_where_it_ends(fd, terminal.columns);
  const char* type = std::getenv("TERM");
  terminal.rewrites = columns > 0 && type != nullptr && std::string_view(type) != "dumb";
  const char* no_color = std::getenv("NO_COLOR");
  terminal.colours = terminal.rewrites && (no_color == nullptr || *no_color == '\0');
  if (terminal.rewrites) terminal.columns = columns;
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

void Progress::text(const std::string& text, Emphasis emphasis) {
  if (text.size() <= kTextColumns) return line(text, emphasis);
  constexpr size_t kLabel = 9;  // "memory   ", whose blanks stay
  const std::string indent(kLabel, ' ');
  std::istringstream lines(wrap(text.substr(kLabel), kTextColumns - kLabel, ""));
  std::string wrapped = text.substr(0, kLabel);
  for (std::string one; std::getline(lines, one);) {
    wrapped += concat(wrapped.size() > kLabel ? "\n" + indent : "", one);
  }
  line(wrapped, emphasis);
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
