// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whether other programs used the cores while this one measured what they can do.
#pragma once

#include <string>
#include <string_view>

namespace argosy {

// Seconds of all cores of a machine since it started; their sum is time times cores.
struct CoreSeconds {
  double busy = 0;  // by whatever program, or by another guest of the host
  double idle = 0;
};

// The first line of Linux's /proc/stat, `ticks_per_s` as sysconf(_SC_CLK_TCK) says. Zeros where the
// text is none.
CoreSeconds core_seconds(std::string_view proc_stat, double ticks_per_s);
CoreSeconds core_seconds_now();

// Processor seconds of the children that have ended and were waited for, and of theirs.
double child_seconds_now();

// A warning where others than the measuring, which took `own_s` of the cores, had more than a tenth
// of all cores' time between the two; "": they had not, or the machine does not say.
std::string load_warning(const CoreSeconds& before, const CoreSeconds& after, double own_s);

}  // namespace argosy
