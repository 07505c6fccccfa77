// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/job_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>
#include <thread>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr std::array<int, 4> kEnding = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};

[[noreturn]] void throw_system_error(const char* call) {
  throw Error(concat(call, ": ", std::generic_category().message(errno)));
}

bool is_ignored(int signal) {
  struct sigaction action = {};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

// In the child: becomes the program, or tells the parent why not.
[[noreturn]] void become(const std::vector<char*>& arguments, pid_t parent, const sigset_t& mask,
                         int tell) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kExitFailure);  // it died before that
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::execvp(arguments[0], arguments.data());
  const int code = errno;
  (void)!::write(tell, &code, sizeof code);
  ::_exit(kExitFailure);
}

pid_t start(std::vector<std::string> words, const sigset_t& mask) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> ends = {};  // closed by a successful exec
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_system_error("pipe2");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(arguments, parent, mask, ends[1]);
  const int fork_code = errno;
  ::close(ends[1]);
  int code = 0;
  const bool has_failed = child > 0 && ::read(ends[0], &code, sizeof code) == sizeof code;
  ::close(ends[0]);
  errno = fork_code;
  if (child < 0) throw_system_error("fork");
  if (!has_failed) return child;
  ::waitpid(child, nullptr, 0);
  throw_cannot_start(words[0], "openmpi-bin", code);
}

std::optional<int> code_if_ended(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) != child) return std::nullopt;
  constexpr int kSignalCode = 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalCode + WTERMSIG(status);
}

std::vector<pid_t> children_of_this() {
  std::ifstream file("/proc/thread-self/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace

void throw_cannot_start(const std::string& program, const std::string& package, int code) {
  throw Error(concat("cannot start ", program, ": ", std::generic_category().message(code),
                     "; is it installed (Debian: ", package, ") and in PATH?"));
}

JobSignals::JobSignals() {
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would keep exit codes from us
  ::sigemptyset(&waited_for_);
  ::sigaddset(&waited_for_, SIGCHLD);
  for (const int signal : kEnding) {
    if (!is_ignored(signal)) ::sigaddset(&waited_for_, signal);
  }
  ::sigprocmask(SIG_BLOCK, &waited_for_, &before_);
}

JobSignals::~JobSignals() {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int JobSignals::next() const {
  for (;;) {
    const int signal = ::sigwaitinfo(&waited_for_, nullptr);
    if (signal > 0) return signal;
    if (errno != EINTR) throw_system_error("sigwaitinfo");
  }
}

std::optional<int> JobSignals::next_within(int64_t seconds) const {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    const auto left = std::max(end - Clock::now(), Clock::duration::zero());
    const timespec limit{.tv_sec = left / std::chrono::seconds(1),
                         .tv_nsec = (left % std::chrono::seconds(1)) / std::chrono::nanoseconds(1)};
    const int signal = ::sigtimedwait(&waited_for_, nullptr, &limit);
    if (signal > 0 && signal != SIGCHLD) return signal;
    if (signal < 0 && errno == EAGAIN) return std::nullopt;
    if (signal < 0 && errno != EINTR) throw_system_error("sigtimedwait");
  }
}

JobEnd run_job(const std::vector<std::string>& words, const JobSignals& signals) {
  const pid_t child = start(words, signals.mask_before());
  JobEnd end;
  bool insists = false;
  for (;;) {
    if (const std::optional<int> code = code_if_ended(child)) {
      end.exit_code = *code;
      return end;
    }
    const int signal = signals.next();
    if (signal == SIGCHLD) continue;
    end.was_stopped = true;
    ::kill(child, insists && signal != SIGUSR1 ? SIGTERM : SIGUSR1);
    insists = insists || signal != SIGUSR1;
  }
}

Orphans::Orphans() : strangers_(children_of_this()) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw_system_error("prctl");
}

void Orphans::wait_until_gone() const {
  constexpr auto kPause = std::chrono::milliseconds(50);
  constexpr int kUntilKilled = 10 * 20, kUntilGivenUp = 30 * 20;  // pauses: 10 s, 30 s
  for (int pauses = 0;; ++pauses) {
    std::vector<pid_t> orphans;
    for (const pid_t child : children_of_this()) {
      if (std::find(strangers_.begin(), strangers_.end(), child) != strangers_.end()) continue;
      if (::waitpid(child, nullptr, WNOHANG) == 0) orphans.push_back(child);
    }
    if (orphans.empty()) return;
    if (pauses == kUntilGivenUp) {
      throw Error(concat("process ", orphans.front(), " of the job that ended cannot be killed: ",
                         "another start would write into the same run folder"));
    }
    if (pauses >= kUntilKilled) {
      for (const pid_t orphan : orphans) ::kill(orphan, SIGKILL);
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace argosy
