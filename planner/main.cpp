// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan: the best plans for a model on a cluster, and why the others lost.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string_view>
#include <thread>

#include "planner/cost/search.h"
#include "planner/exchange/export.h"
#include "planner/messages.h"
#include "planner/options.h"
#include "planner/questions/answers.h"
#include "planner/report/plan_report.h"
#include "planner/report/plan_text.h"
#include "planner/report/text_table.h"
#include "planner/report/trace.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/schedule.h"

namespace {

using namespace argosy;  // NOLINT: the program is a part of it

Questions questions_of(const PlanOptions& options, const Request& request, int num_threads) {
  Questions questions;
  questions.explain = options.explain;
  questions.sensitivity = options.sensitivity;
  questions.pareto = options.pareto;
  questions.robust = options.robust;
  questions.report = !options.report.empty();
  if (!options.what_if.empty()) questions.what_if = parse_machine_changes(options.what_if);
  if (!options.deadline.empty()) questions.deadline_days = days_from_string(options.deadline);
  if (!request.phases.empty()) {
    questions.phases = parse_phases(request.phases);
    check_tokens(questions.phases, request.job.tokens);
  }
  questions.num_threads = num_threads;
  return questions;
}

// Of an imported setup that does not fit; "": nothing is known to make it smaller.
std::string savings_note(const Request& request) {
  if (request.unmodelled_savings.empty()) return "";
  return concat("Not modelled, though they need less memory: ", request.unmodelled_savings,
                ": with them the setup may fit.");
}

void print_tables(const PlanOptions& options, const Request& request, const SearchResult& result) {
  const Job& job = request.job;
  const std::string note = corrections_note(request.corrections, job.cluster.name);
  if (!note.empty()) std::cout << wrap(note, kTextColumns, "    ");
  if (!result.plans.empty()) {
    const Plan& best = result.plans.front();
    std::cout << plan_heading(best, job.cluster) << "\n"
              << plan_table(result.plans) << "\n"
              << fit_text(result.plans, job.fit_probability) << offload_text(result.plans);
    // Phases have totals of their own; these would be of a run that nobody makes.
    const std::string totals = request.phases.empty() ? totals_text(best) : "";
    std::cout << totals;
    if (options.explain) {
      std::cout << legend_text(result.plans) << (totals.empty() ? "" : "\n")
                << breakdown_text(best, job.cluster) << "\n";
    }
  } else {
    std::cout << "No plan fits.\n"
              << wrap(concat(job.model.name, " on ", format_grouped(job.num_devices()), " x ",
                             job.cluster.accelerator.name, ", ", format_grouped(job.global_batch),
                             " sequences of ", format_grouped(job.seq_len), " tokens a step"),
                      kTextColumns, "    ");
  }
  std::cout << search_text(result.summary);
  if (options.explain || result.plans.empty()) std::cout << rejections_text(result.summary);
  if (!result.plans.empty()) return;
  if (const std::string savings = savings_note(request); !savings.empty()) {
    std::cout << wrap(savings, kTextColumns, "    ");
  }
  if (!options.explain) std::cout << "what would fit: --explain\n";
}

// Plans that fit as surely as is usual; where none does and nobody has asked for that, those that
// fit at all, with a warning.
SearchResult find_plans(const PlanOptions& options, int num_threads, Job& job, const Fixed& fixed) {
  const Rows rows = options.near_ties ? Rows::best : Rows::distinct;
  SearchResult result = search(job, fixed, options.top, num_threads, rows);
  if (!result.plans.empty() || options.fit_probability || job.fit_probability == 0) return result;
  Job any = job;
  any.fit_probability = 0;
  SearchResult less_sure = search(any, fixed, options.top, num_threads, rows);
  if (less_sure.plans.empty()) return result;
  warn(concat("no plan fits with ", probability_text(job.fit_probability),
              "; these may fit (--fit-probability 0)"));
  job = std::move(any);
  return less_sure;
}

// The best plan in another framework's words alone, so that it can go into a file.
void print_export(ExportFormat format, const Job& job, const SearchResult& result) {
  if (result.plans.empty()) {
    tell("No plan fits: nothing to export.");
    return;
  }
  const StackFacts& facts = job.stack.facts;
  const HiddenTraffic hidden = {facts.overlaps_gradients, facts.overlaps_parameters,
                                facts.tensor_overlap > 0};
  std::cout << export_plan(result.plans.front(), format, job.tokens, hidden);
}

// plan.json -> plan.phase_2.json
std::string phase_path(std::filesystem::path path, size_t number) {
  const std::string extension = path.extension().string();
  return path.replace_extension(concat(".phase_", number, extension)).string();
}

void write_files(const PlanOptions& options, const Questions& questions, const Job& job,
                 const SearchResult& result, const Answers& answers) {
  if (!result.plans.empty()) {
    const Plan& best = result.plans.front();
    if (!options.out.empty()) write_plan(best, options.out);
    for (size_t i = 0; !options.out.empty() && i < answers.phases.size(); ++i) {
      if (answers.phases[i].plan) {
        write_plan(*answers.phases[i].plan, phase_path(options.out, i + 1));
      }
    }
    if (!options.schedule_csv.empty()) {
      write_text_file(options.schedule_csv, to_csv(build_schedule(best)));
    }
    if (!options.trace.empty()) {
      write_text_file(options.trace, trace_json({{"predicted", predicted_timeline(best)}}));
    }
  }
  if (!options.report.empty()) {
    write_text_file(options.report, plan_report(report_of(questions, job, result, answers)));
  }
}

int run(const PlanOptions& options) {
  require_writable_files(options);
  if (!options.score.empty()) {
    print_score(options);
    return kExitDone;
  }
  if (options.calibrate) {
    run_calibration(options);
    return kExitDone;
  }
  if (!options.learn.empty()) {
    run_learning(options);
    return kExitDone;
  }
  if (options.stack == "list") {
    print_stacks();
    return kExitDone;
  }
  if (options.task == "serve") return run_serve(options) ? kExitDone : kExitNoPlan;
  std::optional<ExportFormat> format;
  if (!options.export_to.empty()) {
    format = export_format_from_string(options.export_to, "--export");
  }
  Request request = make_request(options);
  for (const std::string& warning : request.warnings) warn(warning);
  const int threads = options.threads > 0 ? static_cast<int>(options.threads)
                                          : static_cast<int>(std::thread::hardware_concurrency());
  Questions questions = questions_of(options, request, threads);
  questions.corrections = corrections_note(request.corrections, request.job.cluster.name);
  SearchResult result = find_plans(options, threads, request.job, request.fixed);
  if (format && !result.plans.empty()) {
    const std::string note = choose_exportable(request, *format, threads, result.plans);
    if (!note.empty()) warn(note);
  }
  const bool is_table = !format && !options.json;
  if (result.plans.empty() && !is_table && !request.unmodelled_savings.empty()) {
    warn(savings_note(request));
  }
  const Answers answers = answer(questions, request.job, request.fixed, result);
  if (format) {
    print_export(*format, request.job, result);
  } else if (options.json) {
    auto sections = answers_json(questions, request.job, result, answers);
    sections.emplace_back("corrections", corrections_json(request.corrections));
    sections.emplace_back("model", model_json(request.job.model, request.job.lora));
    sections.emplace_back("cluster", cluster_json(request.job.cluster));
    std::cout << plans_json(result.plans, result.summary, sections);
  } else {
    print_tables(options, request, result);
    std::cout << answers_text(questions, request.job, result, answers);
  }
  write_files(options, questions, request.job, result, answers);
  return result.plans.empty() ? kExitNoPlan : kExitDone;
}

// The message on stderr; for who reads JSON alone, on stdout too.
int fail(int argc, const char* const* argv, const std::string& message, int exit_code) {
  tell("argosy-plan: " + message);
  const bool is_json =
      std::any_of(argv, argv + argc, [](std::string_view word) { return word == "--json"; });
  if (is_json) std::cout << error_json(message);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const CommandLine line = parse_command_line(argc, argv);
    if (!line.help.empty()) {
      std::cout << line.help;
      return kExitDone;
    }
    return run(line.options);
  } catch (const ConfigError& error) {
    return fail(argc, argv, error.what(), kExitUserError);
  } catch (const std::exception& error) {
    return fail(argc, argv, error.what(), kExitFailure);
  }
}
