// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a save leaves behind when the process is killed or the disk is full.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <random>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "planner/spec/check.h"
#include "tests/checkpoint/sample.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using sample::Cut;
using sample::message_of;

int count_entries(const fs::path& dir) {
  return static_cast<int>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

// The step of a generation, asked for before it is saved.
using StepOf = std::function<int64_t(const fs::path& dir, int64_t generation)>;

// A process that saves generation 1, 2, 3 ... into dir until it is killed, and reports each one
// that it has been told to be safe.
class SavingProcess {
 public:
  SavingProcess(const fs::path& dir, const StepOf& step_of) {
    int ends[2];
    CHECK(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      for (int64_t generation = 1;; ++generation) {
        sample::save(dir, step_of(dir, generation), Cut::rows, 2,
                     static_cast<uint64_t>(generation));
        if (::write(ends[1], &generation, sizeof generation) != sizeof generation) ::_exit(1);
      }
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~SavingProcess() {
    if (pid_ > 0) kill_and_last_saved();
    ::close(pipe_);
  }
  int64_t wait_for_next_save() {
    int64_t generation = 0;
    return ::read(pipe_, &generation, sizeof generation) == sizeof generation ? generation : 0;
  }
  // The last generation that was reported, 0: none since the last wait.
  int64_t kill_and_last_saved() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    int64_t last = 0;
    for (int64_t next = wait_for_next_save(); next != 0; next = wait_for_next_save()) last = next;
    return last;
  }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
};

// Kills a saving process at `rounds` random times; the newest checkpoint must be whole and at least
// as new as the last one reported.
void kill_at_random_times(int rounds, const StepOf& step_of) {
  std::mt19937 random(11);
  int num_interrupted = 0;
  for (int round = 0; round < rounds; ++round) {
    const sample::TemporaryDirectory dir;
    SavingProcess process(dir.path(), step_of);
    int64_t last = process.wait_for_next_save();
    ASSERT_EQ(last, 1);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100'000));
    last = std::max(last, process.kill_and_last_saved());

    num_interrupted +=
        count_entries(dir.path()) > static_cast<int>(list_checkpoints(dir.path()).size());
    std::vector<std::string> skipped;
    const auto newest = newest_valid_checkpoint(dir.path(), &skipped);
    ASSERT_TRUE(newest.has_value());
    EXPECT_TRUE(skipped.empty()) << skipped[0];
    for (const int64_t step : list_checkpoints(dir.path())) {
      const auto problems = verify_checkpoint(checkpoint_path(dir.path(), step));
      EXPECT_TRUE(problems.empty()) << problems[0];
    }
    const fs::path path = checkpoint_path(dir.path(), *newest);
    const uint64_t generation = std::stoull(read_manifest(path).state.at("generation"));
    EXPECT_GE(generation, static_cast<uint64_t>(last));
    EXPECT_EQ(sample::load_and_compare(path, Cut::cols, 2, generation), "");

    // The next save clears away what the dead process left.
    sample::save(dir.path(), 1'000'000, Cut::rows, 1, 1);
    EXPECT_EQ(count_entries(dir.path()), static_cast<int>(list_checkpoints(dir.path()).size()));
  }
  EXPECT_GT(num_interrupted, 0) << "no kill hit a save: the test shows nothing";
}

TEST(Crash, KilledAtRandomTimesTheNewestIsWhole) {
  kill_at_random_times(20, [](const fs::path&, int64_t generation) { return generation; });
}

TEST(Crash, KilledWhileReplacingTheSameStep) {
  kill_at_random_times(20, [](const fs::path&, int64_t) { return int64_t{1}; });
}

// What is half removed is no checkpoint, and what has just been saved is never removed.
TEST(Crash, KilledWhileRemovingOlderOnes) {
  kill_at_random_times(20, [](const fs::path& dir, int64_t generation) {
    remove_older_checkpoints(dir, generation - 1, 1);
    return generation;
  });
}

TEST(OlderCheckpoints, ThatAreNotWholeStayAndDoNotCount) {
  const sample::TemporaryDirectory dir;
  for (int64_t step = 1; step <= 6; ++step) sample::save(dir.path(), step, Cut::rows, 1, 1);
  fs::remove(checkpoint_path(dir.path(), 4) / "shard_00000.h5");
  EXPECT_EQ(remove_older_checkpoints(dir.path(), 5, 2), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(list_checkpoints(dir.path()), (std::vector<int64_t>{3, 4, 5, 6}));
  EXPECT_EQ(count_entries(dir.path()), 4);
}

// Runs `body` in a child process of its own limits and mounts; what it returns, "" when all is
// well.
std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    std::string text = "+";
    const std::string failure = message_of([&] { text += body(); });
    if (!failure.empty()) text += "exception: " + failure;
    const ssize_t written = ::write(ends[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return text.empty() ? "the child died" : text.substr(1);
}

constexpr const char* kNoMount = "cannot mount";

// Body of a child: a full disk must be reported, the checkpoint before it must survive.
std::string save_on_full_disk(const fs::path& dir) {
  const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=16m") == 0;
  if (!mounted) return kNoMount;
  sample::save(dir, 1, Cut::rows, 2, 1);  // about 10 MB
  const std::string message = message_of([&] { sample::save(dir, 2, Cut::rows, 2, 2); });
  if (message.find("No space left on device") == std::string::npos) {
    return "unexpected: '" + message + "'";
  }
  if (message.find('\n') != std::string::npos) return "more than a line: '" + message + "'";
  if (count_entries(dir) != 1) return "something of step 2 is left";
  return sample::load_and_compare(checkpoint_path(dir, 1), Cut::cols, 2, 1);
}

TEST(Crash, FullDiskIsReportedAndTheOldCheckpointSurvives) {
  const sample::TemporaryDirectory dir;
  const std::string result = in_child([&] { return save_on_full_disk(dir.path()); });
  if (result == kNoMount) GTEST_SKIP() << "mounting a small tmpfs needs root";
  EXPECT_EQ(result, "");
}

// Disks so small that HDF5's own structures do not fit: its return codes must not be believed.
std::string save_on_tiny_disks(const fs::path& dir) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return kNoMount;
  }
  for (int pages = 1; pages <= 24; ++pages) {
    const std::string size = concat("size=", pages * 4, "k");
    if (::mount("tmpfs", dir.c_str(), "tmpfs", 0, size.c_str()) != 0) return kNoMount;
    const std::string message = message_of([&] { sample::save(dir, 1, Cut::rows, 2, 1); });
    if (message.empty()) return "saved 10 MB with " + size;
    if (count_entries(dir) != 0) return "leftovers with " + size;
    ::umount(dir.c_str());
  }
  return "";
}

TEST(Crash, TinyDisksAreReported) {
  const sample::TemporaryDirectory dir;
  const std::string result = in_child([&] { return save_on_tiny_disks(dir.path()); });
  if (result == kNoMount) GTEST_SKIP() << "mounting a small tmpfs needs root";
  EXPECT_EQ(result, "");
}

TEST(Crash, FileSizeLimitIsReported) {
  const sample::TemporaryDirectory dir;
  EXPECT_EQ(in_child([&]() -> std::string {
              const rlimit limit{1 << 20, 1 << 20};
              ::signal(SIGXFSZ, SIG_IGN);
              if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
              const std::string message =
                  message_of([&] { sample::save(dir.path(), 1, Cut::rows, 2, 1); });
              if (message.find("shard_0000") == std::string::npos) return "message: " + message;
              return count_entries(dir.path()) == 0 ? "" : "something is left";
            }),
            "");
}

}  // namespace
}  // namespace argosy
