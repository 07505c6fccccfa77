// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

namespace argosy {
namespace {

TEST(Progress, PipedOutputIsPlainLines) {
  std::ostringstream out;
  {
    Progress progress(out, Terminal{});
    progress.status("10%");
    progress.line("step 1", Emphasis::warning);
    progress.status("20%");
  }
  EXPECT_EQ(out.str(), "step 1\n");
}

TEST(Progress, TerminalRewritesItsStatusLine) {
  std::ostringstream out;
  {
    Progress progress(out, Terminal{true, false, 80});
    progress.status("10%");
    progress.line("step 1", Emphasis::warning);
    progress.status("20%");
  }
  EXPECT_EQ(out.str(), "\r\033[K10%\r\033[Kstep 1\n\r\033[K20%\r\033[K");
}

TEST(Progress, ColoursWhereWanted) {
  std::ostringstream out;
  Progress progress(out, Terminal{true, true, 80});
  progress.line("careful", Emphasis::warning);
  progress.line("plain");
  EXPECT_EQ(out.str(), "\033[33mcareful\033[0m\nplain\n");
}

TEST(Progress, TextForPeopleKeepsTo100Columns) {
  std::ostringstream out;
  Progress progress(out, Terminal{true, true, 80});
  const std::string words = "memory   " + std::string(40, 'a') + " " + std::string(50, 'b');
  progress.text(words);  // 100 columns
  progress.text(words + "c " + std::string(95, 'd') + " e", Emphasis::warning);
  progress.line(words + " and more");
  EXPECT_EQ(out.str(), words + "\n\033[33mmemory   " + std::string(40, 'a') + "\n         " +
                           std::string(50, 'b') + "c\n         " + std::string(95, 'd') +
                           "\n         e\033[0m\n" + words + " and more\n");
}

TEST(Progress, StatusNeverWraps) {
  std::ostringstream out;
  Progress progress(out, Terminal{true, false, 6});
  progress.status("0123456789");
  EXPECT_EQ(out.str(), "\r\033[K01234");
}

TEST(Progress, FilesAreNotTerminals) {
  const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const Terminal terminal = detect_terminal(fd);
  ::close(fd);
  EXPECT_FALSE(terminal.rewrites);
  EXPECT_FALSE(terminal.colours);
}

TEST(ProgressBar, ShowsShareAndTime) {
  EXPECT_EQ(progress_bar(36, 120, 130), "[######..............]  30% step 36/120 | eta 0:02:10");
  EXPECT_EQ(progress_bar(0, 120, 0), "[....................]   0% step 0/120 | eta 0:00:00");
  EXPECT_EQ(progress_bar(120, 120, 0), "[####################] 100% step 120/120 | eta 0:00:00");
}

}  // namespace
}  // namespace argosy
