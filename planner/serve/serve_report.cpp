// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/serve/serve_report.h"

#include <cmath>

#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// Bytes of a whole deployment in decimal units, as data sheets have them.
std::string decimal_bytes(double bytes) {
  if (bytes >= 1e12) return format_fixed(bytes / 1e12, 2) + " TB";
  if (bytes >= 1e9) return format_fixed(bytes / 1e9, 1) + " GB";
  return format_fixed(bytes / 1e6, 1) + " MB";
}

std::string heading(const ServeJob& job) {
  const double parameters = static_cast<double>(count_parameters(job.model).total);
  const std::string rate =
      job.tokens_per_s_per_user > 0
          ? concat(", ", format_fixed(job.tokens_per_s_per_user, 1), " tokens/s per user asked")
          : "";
  return wrap(concat(job.model.name, ": ", format_count(parameters), " parameters | ",
                     job.cluster.name, ": ", format_grouped(job.cluster.num_devices), " x ",
                     job.cluster.accelerator.name),
              kTextColumns, "    ") +
         wrap(concat("serve, weights ", job.weights.name, ", cache ", job.cache.name, ", ",
                     format_grouped(job.context_tokens), " tokens of context, prompts of ",
                     format_grouped(job.prompt_tokens), rate),
              kTextColumns, "    ");
}

std::string devices_text(int64_t devices) {
  return format_grouped(devices) + (devices == 1 ? " device" : " devices");
}

std::string facts(const ServeJob& job, const ServeResult& r) {
  std::string text = wrap(
      concat(
          "weights ", decimal_bytes(r.weight_bytes), " = the memory of ",
          devices_text(r.devices_for_weights), " (", format_grouped(r.devices_for_streamed_weights),
          " with the token table on the host); cache ", format_count(r.cache_bytes_per_token),
          "B a token, ", decimal_bytes(r.cache_bytes), " for ",
          format_grouped(std::max<int64_t>(1, job.users)), job.users > 1 ? " users" : " user",
          " (multi-query: ", decimal_bytes(r.multi_query_cache_bytes),
          "); smallest replica: ", r.devices_needed > 0 ? devices_text(r.devices_needed) : "none"),
      kTextColumns, "    ");
  // Beside many devices a user's rate is out of reach, and the limit says nothing.
  const bool is_telling = r.plans.empty() || job.tokens_per_s_per_user > 0 ||
                          job.cluster.num_devices <= r.plans.front().devices();
  if (is_telling) {
    text += wrap(
        concat("bandwidth limit: ", devices_text(job.cluster.num_devices),
               job.cluster.num_devices == 1 ? " streams" : " stream",
               " what one user's token reads ", format_fixed(r.bandwidth_tokens_per_s, 1),
               " times a second at most",
               r.is_beyond_bandwidth ? concat("; the ", format_fixed(job.tokens_per_s_per_user, 1),
                                              " asked for are infeasible whatever the split")
                                     : ""),
        kTextColumns, "    ");
  }
  if (r.largest_parameters > 0) {
    text += concat("largest model of this shape that fits and reaches ",
                   format_fixed(job.tokens_per_s_per_user, 1),
                   " tokens/s per user: ", format_count(r.largest_parameters), " parameters\n");
  }
  return text;
}

// Accelerators' files have no price.
std::string price_text(double usd) {
  return usd > 0 ? format_fixed(usd, 2) : "-";
}
std::string price_words(double usd) {
  return usd > 0 ? concat(" for ", format_fixed(usd, 2), " USD per million tokens") : "";
}

std::string plan_rows(const ServeResult& result) {
  TextTable table;
  table.header = {"#",          "tp",        "pp",        "replicas", "users", "token",
                  "tok/s/user", "tok/s/dev", "1st token", "weights",  "cache", "USD/M tok"};
  table.align.assign(table.header.size(), Align::right);
  for (size_t i = 0; i < result.plans.size(); ++i) {
    const ServePlan& p = result.plans[i];
    table.rows.push_back({std::to_string(i + 1), std::to_string(p.tp), std::to_string(p.pp),
                          format_grouped(p.replicas), std::to_string(p.users),
                          format_seconds(p.token_s), format_fixed(p.tokens_per_s_per_user, 1),
                          format_fixed(p.tokens_per_s_per_device, 1),
                          format_seconds(p.first_token_s), format_bytes(p.weight_bytes),
                          format_bytes(p.cache_bytes), price_text(p.usd_per_million_tokens)});
  }
  return to_text(table);
}

std::string nearest_text(const ServePlan& p) {
  return concat("tp=", p.tp, " pp=", p.pp, " users=", p.users, ": ", p.shortage);
}

// "what if hbm_bw=2x: 61.0 tokens/s per user instead of 33.1 (+84.3%), ..." and the table.
std::string what_if_text(const ServeResult& before, const ServeAnswers& answers) {
  std::string text = what_if_phrase(answers.changes);
  const ServeResult& after = *answers.what_if;
  if (after.plans.empty()) {
    return wrap(concat(text, ": no split is feasible; nearest: ", nearest_text(after.nearest)),
                kTextColumns, "    ");
  }
  const ServePlan& a = after.plans.front();
  text += concat(": ", format_fixed(a.tokens_per_s_per_user, 1), " tokens/s per user",
                 price_words(a.usd_per_million_tokens));
  if (!before.plans.empty()) {
    const ServePlan& b = before.plans.front();
    text += concat(" instead of ", format_fixed(b.tokens_per_s_per_user, 1));
    if (a.usd_per_million_tokens > 0 && b.usd_per_million_tokens > 0) {
      text += concat(" for ", format_fixed(b.usd_per_million_tokens, 2), " (",
                     format_signed_percent(a.usd_per_million_tokens / b.usd_per_million_tokens - 1),
                     ")");
    }
  }
  return wrap(text, kTextColumns, "    ") + plan_rows(after);
}

// What the price of a generated token leaves out.
std::string prompt_text(const ServeJob& job, const ServePlan& p) {
  const double devices = static_cast<double>(p.devices());
  std::string text = concat(
      "prompts are not in tok/s/dev and USD/M tok: one of ", format_grouped(job.prompt_tokens),
      " tokens takes the replica of plan 1 ", format_seconds(p.first_token_s),
      p.pp > 1 ? " at most" : "", ", as long as ",
      format_count(p.first_token_s * devices * p.tokens_per_s_per_device), " generated tokens");
  if (p.usd_per_million_prompt_tokens > 0) {
    text += concat("; ", format_fixed(p.usd_per_million_prompt_tokens, 2),
                   " USD per million tokens of prompts");
  }
  return wrap(text, kTextColumns, "    ");
}

// The cheapest plan has as many users as fit, and few tokens for each: says so.
std::string rate_text(const ServeJob& job, const ServeResult& result) {
  if (job.tokens_per_s_per_user > 0 || job.users > 0 || result.plans.empty()) return "";
  const double rate = result.plans.front().tokens_per_s_per_user;
  if (rate >= kChatTokensPerS) return "";
  std::string text = concat("plan 1 is the cheapest whatever a user waits: ", format_fixed(rate, 1),
                            " tokens/s each (people read about 5); with ",
                            format_fixed(kChatTokensPerS, 0), ", as chats have it, ");
  if (const std::optional<ServePlan>& p = result.for_chats) {
    text += concat("tp=", p->tp, " pp=", p->pp, " users=", p->users,
                   price_words(p->usd_per_million_tokens));
  } else {
    text += "there is no plan";
  }
  return wrap(text + "; --tokens-per-user decides", kTextColumns, "    ");
}

Json plan_json(const ServePlan& p) {
  return {{"tp", p.tp},
          {"pp", p.pp},
          {"replicas", p.replicas},
          {"users", p.users},
          {"token_s", p.token_s},
          {"first_token_s", p.first_token_s},
          {"tokens_per_s_per_user", p.tokens_per_s_per_user},
          {"tokens_per_s_per_device", p.tokens_per_s_per_device},
          {"usd_per_million_tokens", p.usd_per_million_tokens},
          {"usd_per_million_prompt_tokens", p.usd_per_million_prompt_tokens},
          {"weight_s", p.weight_s},
          {"cache_s", p.cache_s},
          {"communication_s", p.communication_s},
          {"memory_bytes",
           {{"peak", p.peak_bytes}, {"weights", p.weight_bytes}, {"cache", p.cache_bytes}}}};
}

Json plans_json(const ServeResult& result) {
  Json plans = Json::array();
  for (const ServePlan& plan : result.plans) plans.push_back(plan_json(plan));
  return plans;
}

Json what_if_json(const ServeAnswers& answers) {
  return {{"changes", parse_json(changes_json(answers.changes), "changes")},
          {"plans", plans_json(*answers.what_if)}};
}

}  // namespace

std::string serve_text(const ServeJob& job, const ServeResult& result,
                       const ServeAnswers& answers) {
  std::string text = heading(job) + "\n";
  if (result.plans.empty()) {
    text += wrap("No split is feasible; nearest: " + nearest_text(result.nearest), kTextColumns,
                 "    ");
  } else {
    const ServePlan& best = result.plans.front();
    text += plan_rows(result) + "\n";
    text += wrap(
        concat("a token of plan 1: ", format_seconds(best.token_s), " = weights ",
               format_seconds(best.weight_s), " + attention to the cache ",
               format_seconds(best.cache_s), " + communication ",
               format_seconds(best.communication_s), " + small ops ",
               format_seconds(best.token_s - best.weight_s - best.cache_s - best.communication_s)),
        kTextColumns, "    ");
    text += prompt_text(job, best);
  }
  text += rate_text(job, result);
  text += facts(job, result);
  text +=
      concat(format_counted(result.candidates, "split"), ": ", format_grouped(result.num_too_large),
             " do not fit, ", format_grouped(result.num_too_slow), " are too slow\n");
  if (answers.what_if) text += "\n" + what_if_text(result, answers);
  if (!answers.sensitivity.empty()) {
    text +=
        "\ndevice time of a token, and so its price, when a property of the machines changes:\n" +
        to_text(sensitivity_table(answers.sensitivity, "doubled, best split for it"));
  }
  return text;
}

std::string serve_json(const ServeJob& job, const ServeResult& result,
                       const ServeAnswers& answers) {
  Json json = {{"plans", plans_json(result)},
               {"serve",
                {{"parameters", count_parameters(job.model).total},
                 {"weights", job.weights.name},
                 {"weight_bytes", result.weight_bytes},
                 {"devices_for_weights", result.devices_for_weights},
                 {"devices_for_streamed_weights", result.devices_for_streamed_weights},
                 {"devices_needed", result.devices_needed},
                 {"cache", job.cache.name},
                 {"cache_bytes_per_token", result.cache_bytes_per_token},
                 {"cache_bytes", result.cache_bytes},
                 {"multi_query_cache_bytes", result.multi_query_cache_bytes},
                 {"context_tokens", job.context_tokens},
                 {"prompt_tokens", job.prompt_tokens},
                 {"asked_tokens_per_s_per_user", job.tokens_per_s_per_user},
                 {"bandwidth_tokens_per_s", result.bandwidth_tokens_per_s},
                 {"is_beyond_bandwidth", result.is_beyond_bandwidth},
                 {"largest_parameters", result.largest_parameters}}},
               {"search", {{"candidates", result.candidates}}},
               {"rejected", Json::array()}};
  if (result.for_chats) json["serve"]["for_chats"] = plan_json(*result.for_chats);
  if (answers.what_if) json["what_if"] = what_if_json(answers);
  if (!answers.sensitivity.empty()) {
    json["sensitivity"] = parse_json(sensitivity_json(answers.sensitivity), "sensitivity");
  }
  const auto reject = [&](const char* reason, int64_t count) {
    if (count == 0) return;
    const bool is_nearest = result.nearest.shortage.starts_with(reason);
    json["rejected"].push_back({{"reason", reason},
                                {"count", count},
                                {"nearest", is_nearest ? nearest_text(result.nearest) : ""}});
  };
  reject("out of memory", result.num_too_large);
  reject("too slow", result.num_too_slow);
  if (result.is_beyond_bandwidth) {
    json["rejected"].push_back(
        {{"reason", "bandwidth limit"},
         {"count", result.candidates},
         {"nearest", concat(format_fixed(result.bandwidth_tokens_per_s, 1),
                            " tokens/s for one user at the peak of memory")}});
  }
  return json.dump(2) + "\n";
}

}  // namespace argosy
