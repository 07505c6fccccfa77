// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "planner/cost/search.h"
#include "planner/report/html.h"
#include "planner/report/plan_report.h"
#include "planner/report/plan_text.h"
#include "planner/report/run_report.h"
#include "planner/report/scatter.h"
#include "planner/report/svg.h"
#include "planner/report/timeline_kind.h"
#include "planner/report/trace.h"
#include "planner/report/units.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

SearchResult small_search() {
  return search(small_job(SmallModel::moe, 8, 16), parse_fixed("pp=2"), 4, 1);
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Each line stands where its column has something to explain.
TEST(PlanTable, LegendNamesWhatOccurs) {
  Plan plan = small_search().plans.at(0);
  plan.mesh.pp = plan.mesh.etp = plan.virtual_stages = 1;
  plan.mesh.zero_shard = 0;
  plan.predicted.fits_probability = 1;
  plan.recompute.assign(plan.recompute.size(), Recompute::none);
  plan.layers_per_stage = {plan.model.num_layers};
  EXPECT_EQ(legend_text({plan}), "");
  const auto expect_line = [&](const char* begin, const auto& change) {
    Plan other = plan;
    change(other);
    const std::string text = legend_text({plan, other});
    EXPECT_TRUE(text.starts_with(std::string("columns:\n") + begin)) << text;
    EXPECT_EQ(count_of(text, "\n"), 2u) << text;
  };
  expect_line("ep 16x2", [](Plan& p) { p.mesh.etp = 2; });
  expect_line("ZeRO 3/8", [](Plan& p) { p.mesh.zero_shard = 8; });
  expect_line("sched 1f1b x4", [](Plan& p) { p.virtual_stages = 4; });
  expect_line("L/st", [](Plan& p) {
    p.mesh.pp = 2;
    p.layers_per_stage = {1, 3};
  });
  Plan even = plan;  // the table has no such column
  even.mesh.pp = 2;
  even.layers_per_stage = {2, 2};
  EXPECT_EQ(legend_text({even}), "");
  Plan wide = plan;  // it has no room for the column
  wide.mesh.pp = 2;
  wide.layers_per_stage = {1, 3};
  wide.mesh.tp = wide.mesh.dp = 1'000'000'000'000;
  wide.mesh.cp = 8;
  wide.mesh.order = RankOrder::tp_cp_pp_dp;
  wide.micro_batch = 1'000'000'000'000;
  EXPECT_EQ(plan_table({wide}).find("L/st"), std::string::npos);
  EXPECT_EQ(legend_text({wide}).find("L/st"), std::string::npos);
  expect_line("recomp 3f+1s/8", [](Plan& p) { p.recompute[0] = Recompute::full; });
  expect_line("fits", [](Plan& p) { p.predicted.fits_probability = 0.9; });
}

TEST(Units, ReadWell) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(65'712'999'424), "61.2 GiB");
  EXPECT_EQ(format_seconds(0.8124), "812 ms");
  EXPECT_EQ(format_seconds(34.21), "34.2 s");
  EXPECT_EQ(format_seconds(15e-6), "15.0 us");
  EXPECT_EQ(format_count(80'600), "80.6k");
  EXPECT_EQ(format_count(950), "950");
  EXPECT_EQ(format_amount(0.527), "0.53");
  EXPECT_EQ(format_amount(0.0025), "0.0025");
  EXPECT_EQ(format_amount(5.25), "5.2");
  EXPECT_EQ(format_amount(53.2), "53");
  EXPECT_EQ(format_four(1'002'400), "1.002M");
  EXPECT_EQ(format_four(1'031'000), "1.031M");
  EXPECT_EQ(format_four(999'990), "1.000M");
  EXPECT_EQ(format_four(0.5312), "0.5312");
  EXPECT_EQ(format_days(16.84), "16.8 days");
  EXPECT_EQ(format_days(0.25), "6.0 hours");
  EXPECT_EQ(format_days(150.0 / 86400), "2.5 minutes");
  EXPECT_EQ(format_day_number(16.84), "16.8");
  EXPECT_EQ(format_day_number(0.216), "0.22");
  EXPECT_EQ(format_day_number(0.0017), "0.0017");
  EXPECT_EQ(format_day_number(0), "0.0");
  EXPECT_EQ(format_counted(1, "plan"), "1 plan");
  EXPECT_EQ(format_counted(2048, "plan"), "2,048 plans");
  EXPECT_EQ(format_count(13e12), "13.0T");
  EXPECT_EQ(format_percent(0.4123), "41.2%");
  EXPECT_EQ(format_grouped(24960), "24,960");
  EXPECT_EQ(format_grouped(-1234567), "-1,234,567");
  EXPECT_EQ(format_grouped(100), "100");
}

TEST(Timeline, KindsFollowTheNames) {
  EXPECT_EQ(event_kind("0F3"), EventKind::forward);
  EXPECT_EQ(event_kind("12B0"), EventKind::backward);
  EXPECT_EQ(event_kind("1SEND_B0"), EventKind::transfer);
  EXPECT_EQ(event_kind("wait 1RECV_F0"), EventKind::wait);
  EXPECT_EQ(event_kind("reduce"), EventKind::reduce);
  EXPECT_EQ(event_kind("optimizer"), EventKind::optimizer);
  EXPECT_EQ(event_kind("all_reduce tp"), EventKind::collective);
  EXPECT_EQ(event_kind("checkpoint"), EventKind::other);
}

TEST(PlanText, FitsAHundredColumns) {
  const SearchResult result = small_search();
  ASSERT_FALSE(result.plans.empty());
  const ClusterSpec cluster = small_job(SmallModel::moe, 8, 16).cluster;
  for (const std::string& text :
       {plan_table(result.plans), rejections_text(result.summary),
        breakdown_text(result.plans.front(), cluster), totals_text(result.plans.front())}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST(PlanText, JsonHasTheAgreedShape) {
  const SearchResult result = small_search();
  const auto json = nlohmann::json::parse(plans_json(result.plans, result.summary));
  ASSERT_EQ(json["plans"].size(), 4u);
  const auto& plan = json["plans"][0];
  for (const char* key : {"tp", "pp", "dp", "cp", "ep", "etp"}) {
    EXPECT_TRUE(plan["mesh"][key].is_number_integer()) << key;
  }
  for (const char* key : {"zero_stage", "micro_batch", "global_batch", "seq_len", "virtual_stages",
                          "recompute_layers"}) {
    EXPECT_TRUE(plan[key].is_number_integer()) << key;
  }
  EXPECT_TRUE(plan["schedule"].is_string());
  EXPECT_TRUE(plan["recompute"].is_string());
  const auto& predicted = plan["predicted"];
  for (const char* key : {"step_s", "mfu", "hfu", "tokens_per_s", "tokens_per_s_per_device",
                          "tflops_per_device", "bubble_fraction", "exposed_comm_s", "days",
                          "goodput", "cost_usd", "energy_kwh", "carbon_kg"}) {
    EXPECT_TRUE(predicted[key].is_number()) << key;
  }
  int64_t sum = 0;
  for (const char* key :
       {"parameters", "gradients", "optimizer", "activations", "buffers", "workspace"}) {
    sum += predicted["memory_bytes"][key].get<int64_t>();
  }
  EXPECT_EQ(predicted["memory_bytes"]["peak"], sum);
  for (const char* key : {"candidates", "evaluated", "feasible", "seconds"}) {
    EXPECT_TRUE(json["search"][key].is_number()) << key;
  }
  for (const auto& rejected : json["rejected"]) {
    EXPECT_TRUE(rejected["reason"].is_string() && rejected["count"].is_number_integer() &&
                rejected["nearest"].is_string());
  }
}

PlanReport small_report() {
  const SearchResult result = small_search();
  PlanReport report;
  report.plans = result.plans;
  report.cluster = small_job(SmallModel::moe, 8, 16).cluster;
  report.summary = result.summary;
  for (const Plan& plan : report.plans) {
    report.details.push_back({predicted_timeline(plan), {{"work & wait", plan.predicted.step_s}}});
    report.points.push_back({plan, report.points.empty()});
  }
  report.tables = {{"More <answers>", {{"question"}, {Align::left}, {{"answer"}}}}};
  return report;
}

TEST(PlanReport, IsOneFile) {
  const std::string page = plan_report(small_report());
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_EQ(count_of(page, "<svg"), count_of(page, "</svg>"));
  EXPECT_EQ(count_of(page, "<div"), count_of(page, "</div>"));
  for (const char* loaded : {"http://", "https://", "<script", "src="}) {
    EXPECT_EQ(page.find(loaded), page.npos) << loaded;
  }
}

TEST(PlanReport, HasAPanelForEachPlanAndEachPairOfAxes) {
  const std::string page = plan_report(small_report());
  EXPECT_EQ(count_of(page, "name=\"plan\""), 4u);
  EXPECT_EQ(count_of(page, "name=\"front\""), 3u);
  EXPECT_EQ(count_of(page, " checked>"), 2u);
  EXPECT_EQ(count_of(page, "The step, simulated"), 4u);
  EXPECT_EQ(count_of(page, "work &amp; wait"), 16u);  // a bar, its title, a legend, a table
  EXPECT_EQ(count_of(page, "class=\"dot behind\""), 9u);
  EXPECT_NE(page.find("More &lt;answers&gt;"), page.npos);
}

TEST(PlanReport, SaysThatNothingFits) {
  PlanReport report;
  report.summary.rejected = {{"out of <memory>", 7, "short by 1 GiB"}};
  const std::string page = plan_report(report);
  EXPECT_NE(page.find("No plan fits"), page.npos);
  EXPECT_NE(page.find("out of &lt;memory&gt;"), page.npos);
}

TEST(Scatter, DrawsWhatCanBeDrawn) {
  const std::string svg = scatter_svg({{1, 100, "a", "first"},
                                       {10, 10, "b", "second"},
                                       {10, 1000, "c", "third", false},
                                       {0, 1, "z", ""}},
                                      "days", "USD");
  EXPECT_EQ(count_of(svg, "<circle"), 3u);
  EXPECT_NE(svg.find("days"), svg.npos);
  EXPECT_NE(scatter_svg({}, "x", "y").find("no points"), std::string::npos);
  EXPECT_EQ(scatter_svg({{5, 5, "one", ""}}, "x", "y").find("nan"), std::string::npos);
}

TEST(Trace, HasATrackPerRankAndOneForItsTransfers) {
  Timeline timeline;
  timeline.events = {{0, "0F0", 0, 1e-3}, {0, "0SEND_F0", 1e-3, 2e-3}, {1, "1F0", 2e-3, 3.5e-3}};
  const auto json =
      nlohmann::json::parse(trace_json({{"predicted", timeline}, {"measured", timeline}}));
  int complete = 0, processes = 0;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] == "X") ++complete;
    if (event["name"] == "process_name") ++processes;
    if (event["name"] == "1F0") {
      EXPECT_NEAR(event["ts"].get<double>(), 2000, 1e-6);
      EXPECT_NEAR(event["dur"].get<double>(), 1500, 1e-6);
      EXPECT_EQ(event["tid"], 2);
    }
    if (event["name"] == "0SEND_F0") {
      EXPECT_EQ(event["tid"], 1);
    }
  }
  EXPECT_EQ(complete, 6);
  EXPECT_EQ(processes, 2);
}

TEST(Trace, OverlappingCollectivesHaveTracksOfTheirOwn) {
  Timeline timeline;
  timeline.events = {{0, "0F0", 0, 1},
                     {0, "all_gather dp_cp", 0.1, 0.6},
                     {0, "all_reduce tp", 0.5, 0.7},
                     {0, "all_reduce tp", 0.7, 0.8}};
  const auto json = nlohmann::json::parse(trace_json({{"measured", timeline}}));
  std::vector<int> tracks;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] == "X") tracks.push_back(event["tid"]);
  }
  EXPECT_EQ(tracks, (std::vector<int>{0, 1, 2, 1}));
}

TEST(Svg, TimelinesStayBounded) {
  Timeline timeline;
  timeline.step_s = 1;
  for (int rank = 0; rank < 200; ++rank) {
    for (int i = 0; i < 2000; ++i) timeline.events.push_back({rank, "0F0", i / 2e3, (i + 1) / 2e3});
  }
  const std::string svg = timeline_svg(timeline, timeline.step_s);
  EXPECT_EQ(count_of(svg, ">rank "), 32u);
  EXPECT_LT(svg.size(), 5'000'000u);
}

TEST(RunReport, ShowsPlanAndRun) {
  RunReport report;
  report.plan = small_search().plans.front();
  report.predicted = report.measured = predicted_timeline(report.plan);
  for (int step = 1; step <= 20; ++step) {
    RunStep s;
    s.step = step;
    s.loss = 5.0 / step;
    s.mfu = 0.4;
    s.step_s = 0.1;
    if (step % 10 == 0) s.eval_loss = s.loss + 0.1;
    report.steps.push_back(s);
  }
  report.steps[3].loss = std::numeric_limits<double>::quiet_NaN();
  report.notes = {"resumed <twice>"};
  report.parts = {{"compute", 0.075}, {"bubble", 0.025}};
  const std::string page = run_report(report);
  for (const char* expected :
       {"loss", "evaluation loss", "A step as planned", "A step as measured",
        "Where the time of a step went", "75.0%", "resumed &lt;twice&gt;", "40.0%"}) {
    EXPECT_NE(page.find(expected), page.npos) << expected;
  }
  EXPECT_EQ(page.find("nan,"), page.npos);
}

TEST(RunReport, FiguresAreOfTheLastLayoutAndCurvesOfAll) {
  RunReport report;
  report.plan = small_search().plans.front();
  for (int step = 1; step <= 9; ++step) {
    const bool is_earlier = step < 6;
    report.steps.push_back({.step = step,
                            .loss = 5.0 / step,
                            .mfu = is_earlier ? 0.125 : 0.5,
                            .step_s = is_earlier ? 0.75 : 0.25,
                            .tokens_per_s = 1,
                            .eval_loss = {}});
  }
  report.first_step = 6;
  std::string page = run_report(report);
  for (const char* expected : {"250 ms", "50.0%", "5.000", "Figures are of steps 6 to 9",
                               "steps 1 to 5 ran under another layout"}) {
    EXPECT_NE(page.find(expected), page.npos) << expected;
  }
  for (const char* other : {"750 ms", "12.5%"}) EXPECT_EQ(page.find(other), page.npos) << other;

  report.first_step = 10;
  page = run_report(report);
  EXPECT_NE(page.find("No step ran under this layout yet"), page.npos);
  for (const char* other : {"750 ms", "250 ms", "50.0%", "0.0%"}) {
    EXPECT_EQ(page.find(other), page.npos) << other;
  }
}

TEST(RunReport, AnMfuThatIsNotKnownIsNotShown) {
  RunReport report;
  for (int step = 1; step <= 5; ++step) {
    RunStep s;
    s.step = step;
    s.mfu = step < 4 ? std::numeric_limits<double>::quiet_NaN() : 0.25;
    report.steps.push_back(s);
  }
  EXPECT_NE(run_report(report).find("25.0%"), std::string::npos);
  for (RunStep& step : report.steps) step.mfu = std::numeric_limits<double>::quiet_NaN();
  const std::string page = run_report(report);
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_EQ(page.find(">0.0%"), std::string::npos);
}

TEST(RunReport, AnEmptyRunHasAPageToo) {
  EXPECT_NE(run_report({}).find("</html>"), std::string::npos);
}

TEST(Html, Escapes) {
  EXPECT_EQ(escape_html("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
}

}  // namespace
}  // namespace argosy
