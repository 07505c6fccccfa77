// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "planner/spec/check.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

constexpr double kPatience_s = 5;  // between SIGTERM and SIGKILL: mpirun ends its ranks meanwhile
constexpr int kNotStarted = 127;   // exit code of a child that could not become the program

// While it lives, the signals are not delivered but wait to be asked for: none is lost between two
// looks.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&held_, signal);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // The next of them; 0 after `seconds` without any.
  int wait(double seconds) const {
    const double whole = std::floor(std::max(seconds, 0.0));
    const timespec timeout = {static_cast<time_t>(whole),
                              static_cast<long>((std::max(seconds, 0.0) - whole) * 1e9)};
    const int signal = sigtimedwait(&held_, nullptr, &timeout);
    return signal > 0 ? signal : 0;
  }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t held_, before_;
};

// In the child; only calls that are safe between fork and exec.
[[noreturn]] void become(char* const* words, char* const* environment, const sigset_t& mask,
                         pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(kNotStarted);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execve(words[0], words, environment);
  _exit(kNotStarted);
}

std::vector<std::string> merged_environment(const ChildCommand& command) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const bool is_replaced =
        std::any_of(command.environment.begin(), command.environment.end(),
                    [&](const auto& own) { return text.starts_with(own.first + "="); });
    if (!is_replaced) entries.push_back(text);
  }
  for (const auto& [name, value] : command.environment) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Until the child is gone.
ChildEnd watch(pid_t child, double time_limit_s, const HeldSignals& signals) {
  ChildEnd end;
  const Clock::time_point begin = Clock::now();
  double deadline_s = time_limit_s;
  bool is_asked = false;
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      end.exit_code = exit_code_of(status);
      return end;
    }
    const int signal = signals.wait(deadline_s - seconds_since(begin));
    if (signal == SIGCHLD) continue;
    if (signal == 0 && seconds_since(begin) < deadline_s) continue;
    if (signal == 0 && !is_asked) end.timed_out = true;
    if (signal != 0 && end.interrupted_by == 0) end.interrupted_by = signal;
    kill(-child, is_asked ? SIGKILL : SIGTERM);
    is_asked = true;
    deadline_s = seconds_since(begin) + kPatience_s;
  }
}

}  // namespace

std::optional<std::filesystem::path> find_in_path(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::string folders = variable != nullptr ? variable : "";
  for (size_t begin = 0; begin <= folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    const std::filesystem::path file =
        std::filesystem::path(folders.substr(begin, end - begin)) / name;
    std::error_code code;
    if (std::filesystem::is_regular_file(file, code) && access(file.c_str(), X_OK) == 0) {
      return file;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

ChildEnd run_child(const ChildCommand& command) {
  std::vector<std::string> words = command.words, entries = merged_environment(command);
  const std::vector<char*> argv = pointers(words), envp = pointers(entries);
  const HeldSignals signals;
  const pid_t parent = getpid(), child = fork();
  if (child < 0) {
    throw Error(concat("cannot start ", words[0], ": ", std::generic_category().message(errno)));
  }
  if (child == 0) become(argv.data(), envp.data(), signals.before(), parent);
  setpgid(child, child);  // here too: whoever comes first
  const ChildEnd end = watch(child, command.time_limit_s, signals);
  if (end.exit_code == kNotStarted) throw Error(concat("cannot start ", words[0]));
  return end;
}

}  // namespace argosy
