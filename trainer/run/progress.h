// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the user sees while a run goes on: lines that stay and, on a terminal, one status line below
// them that is rewritten in place. Piped output is plain lines.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace argosy {

enum class Emphasis { plain, strong, warning, failure };

struct Terminal {
  bool rewrites = false;  // a terminal that understands carriage return and erase
  bool colours = false;   // and the user did not set NO_COLOR (no-color.org)
  int columns = 80;
};

// What `fd` (1 for stdout) is connected to; under mpirun, what mpirun's is connected to.
Terminal detect_terminal(int fd);

class Progress {
 public:
  // `out` must outlive the object.
  Progress(std::ostream& out, Terminal terminal) : out_(out), terminal_(terminal) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A line that stays, as it is: what programs read.
  void line(std::string_view text, Emphasis emphasis = Emphasis::plain);
  // The same for people: in lines of at most kTextColumns, where words allow it, continued below
  // what follows a label of nine columns.
  void text(const std::string& text, Emphasis emphasis = Emphasis::plain);
  // Replaces the status line; does nothing where output cannot be rewritten.
  void status(std::string_view text);

 private:
  void erase_status();

  std::ostream& out_;
  Terminal terminal_;
  bool has_status_ = false;
};

// "[######..............]  30% step 36/120 | eta 0:02:10"
std::string progress_bar(int64_t step, int64_t total_steps, double eta_s);

}  // namespace argosy
