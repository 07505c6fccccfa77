// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --report in a browser: what is seen, what clicking changes. Skipped where there is no Chromium.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "planner/spec/files.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

// A script for a copy of the page, which itself has none: clicks, and writes what is seen then.
constexpr const char* kClicks = R"(<script>
const seen = group => [...document.querySelectorAll('input[name=' + group + ']')]
    .map((choice, i) => getComputedStyle(
        choice.parentElement.querySelectorAll(':scope > div')[i]).display != 'none' ? i + 1 : 0)
    .filter(i => i).join('+');
const log = [];
const note = what => log.push(what + ' plan ' + seen('plan') + ' front ' + seen('front'));
note('first');
document.querySelector('label[for=plan_2]').click();
note('clicked');
document.querySelector('label[for=front_3]').click();
note('again');
const details = document.querySelector('details');
details.querySelector('summary').click();
log.push('details ' + details.open);
log.push('wide ' + (document.documentElement.scrollWidth > innerWidth));
log.push('loaded ' + performance.getEntriesByType('resource').length);
document.title = 'LOG ' + log.join(', ') + ' END';
</script></body>)";

bool has_chromium() {
  return std::system("command -v chromium > /dev/null 2>&1") == 0;
}

std::string chromium(const std::string& arguments, const std::string& out) {
  const std::string profile = scratch_path("profile");
  const std::string command =
      "timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
      "--hide-scrollbars --user-data-dir='" +
      profile + "' " + arguments + " > '" + out + "' 2> /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return read_text_file(out);
}

TEST(ReportPage, PlansAndAxesAreChosenByClicking) {
  const std::string page = scratch_path("page.html");
  const PlanOutput output = run_plan(
      "--model llama-65b --cluster a100-2048 --seq-len 2048 --global-batch 2048 --tokens 1.4e12 "
      "--explain --sensitivity --top 3 --report " +
      page);
  ASSERT_EQ(output.exit_code, 0) << output.err;
  std::string html = read_text_file(page);
  for (const char* term :
       {"The step, simulated", "Where the time goes", "Where the memory goes", "fits with",
        "reserved", "time and money", "Why others lose", "devices", "What the figures rest on",
        "argosy-train's own ops", "no past runs were learned from", "1.79 USD a device and hour"}) {
    EXPECT_NE(html.find(term), std::string::npos) << term;
  }
  if (!has_chromium()) GTEST_SKIP() << "no chromium";
  const size_t end = html.rfind("</body>");
  ASSERT_NE(end, std::string::npos);
  html.replace(end, std::string("</body>").size(), kClicks);
  const std::string clicked = scratch_path("clicked.html");
  write_text_file(clicked, html);
  const std::string dom = chromium("--window-size=1100,900 --dump-dom 'file://" + clicked + "'",
                                   scratch_path("dom.html"));
  const size_t log = dom.find("LOG ");
  ASSERT_NE(log, std::string::npos);
  EXPECT_EQ(dom.substr(log, dom.find(" END", log) - log),
            "LOG first plan 1 front 1, clicked plan 2 front 1, again plan 2 front 3, details true, "
            "wide false, loaded 0");
}

TEST(ReportPage, HasAPicture) {
  if (!has_chromium()) GTEST_SKIP() << "no chromium";
  const std::string page = scratch_path("small.html"), picture = scratch_path("page.png");
  ASSERT_EQ(run_plan("--model demo-moe --cluster local-cpu --devices 2 --report " + page).exit_code,
            0);
  chromium("--window-size=1100,2000 --screenshot='" + picture + "' 'file://" + page + "'",
           scratch_path("shot.log"));
  // A blank page of this size compresses to a tenth of this.
  EXPECT_GT(std::filesystem::file_size(picture), 60'000u);
}

}  // namespace
}  // namespace argosy
