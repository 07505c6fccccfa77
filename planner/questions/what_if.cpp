// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/what_if.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <set>

#include "planner/questions/quantity.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

using Change = std::function<double(double)>;

// Beyond these a machine is a slip of the pen.
constexpr double kMostFactor = 1e3, kMostValue = 1e18;

void change_integer(int64_t& target, const Change& change) {
  target = static_cast<int64_t>(change(static_cast<double>(target)));
}

// The tiers of links that a key speaks of.
enum class Links { intra, inter, island };
constexpr size_t first_tier(Links links) {
  return static_cast<size_t>(links);
}

void change_links(ClusterSpec& cluster, Links links, double LinkTier::*member,
                  const Change& change) {
  const size_t num_tiers = cluster.tiers.size(), first = first_tier(links);
  if (num_tiers <= first) {
    throw ConfigError(concat("--what-if: ", cluster.name, " has ", num_tiers,
                             num_tiers == 1 ? " tier" : " tiers",
                             " of links; valid: intra_bw, intra_latency",
                             num_tiers > 1 ? ", inter_bw, inter_latency" : ""));
  }
  const size_t end = links == Links::island ? num_tiers : first + 1;
  for (size_t i = first; i < end; ++i) {
    cluster.tiers[i].*member = change(cluster.tiers[i].*member);
  }
}

// A property of the machines: what it is called, what its values count, whether it acts on the time
// of a step, how it is changed.
struct Property {
  const char* key;
  Quantity quantity;
  bool is_time;
  void (*apply)(ClusterSpec&, const Change&);
};
const Property kProperties[] = {
    {"flops", Quantity::flops_per_s, true,
     [](ClusterSpec& c, const Change& f) {
       Accelerator& a = c.accelerator;
       for (double* rate :
            {&a.fp64_flops_per_s, &a.fp32_flops_per_s, &a.bf16_flops_per_s, &a.fp8_flops_per_s}) {
         if (*rate > 0) *rate = f(*rate);
       }
     }},
    {"hbm", Quantity::bytes, true,
     [](ClusterSpec& c, const Change& f) { change_integer(c.accelerator.memory_bytes, f); }},
    {"hbm_bw", Quantity::bytes_per_s, true,
     [](ClusterSpec& c, const Change& f) {
       c.accelerator.memory_bytes_per_s = f(c.accelerator.memory_bytes_per_s);
     }},
    {"intra_bw", Quantity::bytes_per_s, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::intra, &LinkTier::bytes_per_s, f);
     }},
    {"inter_bw", Quantity::bytes_per_s, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::inter, &LinkTier::bytes_per_s, f);
     }},
    {"island_bw", Quantity::bytes_per_s, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::island, &LinkTier::bytes_per_s, f);
     }},
    {"intra_latency", Quantity::seconds, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::intra, &LinkTier::latency_s, f);
     }},
    {"inter_latency", Quantity::seconds, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::inter, &LinkTier::latency_s, f);
     }},
    {"island_latency", Quantity::seconds, true,
     [](ClusterSpec& c, const Change& f) {
       change_links(c, Links::island, &LinkTier::latency_s, f);
     }},
    {"op_overhead", Quantity::seconds, true,
     [](ClusterSpec& c, const Change& f) {
       c.accelerator.op_overhead_s = f(c.accelerator.op_overhead_s);
     }},
    {"host_launch", Quantity::seconds, true,
     [](ClusterSpec& c, const Change& f) {
       c.accelerator.host_launch_s = f(c.accelerator.host_launch_s);
     }},
    {"price", Quantity::usd_per_hour, false,
     [](ClusterSpec& c, const Change& f) { c.usd_per_device_hour = f(c.usd_per_device_hour); }},
    {"power", Quantity::watts, false,
     [](ClusterSpec& c, const Change& f) {
       for (double* watt : {&c.device_power_w, &c.communication_power_w, &c.idle_power_w}) {
         *watt = f(*watt);
       }
     }},
    {"pue", Quantity::ratio, false, [](ClusterSpec& c, const Change& f) { c.pue = f(c.pue); }},
    {"carbon", Quantity::kg_per_kwh, false,
     [](ClusterSpec& c, const Change& f) { c.carbon_kg_per_kwh = f(c.carbon_kg_per_kwh); }},
    {"mtbf", Quantity::hours, false,
     [](ClusterSpec& c, const Change& f) { c.device_mtbf_hours = f(c.device_mtbf_hours); }},
    {"checkpoint", Quantity::seconds, false,
     [](ClusterSpec& c, const Change& f) { c.checkpoint_s = f(c.checkpoint_s); }},
    {"storage_bw", Quantity::bytes_per_s, false,
     [](ClusterSpec& c, const Change& f) { c.storage_bytes_per_s = f(c.storage_bytes_per_s); }},
    {"restart", Quantity::seconds, false,
     [](ClusterSpec& c, const Change& f) { c.restart_s = f(c.restart_s); }},
};

std::string property_keys() {
  std::string keys;
  for (const Property& property : kProperties) append_listed(keys, property.key);
  return keys;
}

const Property& property_of(const std::string& key) {
  for (const Property& property : kProperties) {
    if (key == property.key) return property;
  }
  throw ConfigError(concat("--what-if: unknown key '", key, "'; valid: ", property_keys()));
}

MachineChange parse_change(const std::string& item) {
  const size_t equals = item.find('=');
  if (equals == std::string::npos) {
    throw ConfigError(concat(
        "--what-if: '", item,
        "'; valid: key=value,... with values as 2x, +10% or 141GB and the keys ", property_keys()));
  }
  MachineChange change;
  change.key = item.substr(0, equals);
  change.text = item.substr(equals + 1);
  const Property& property = property_of(change.key);
  char* end = nullptr;
  const char* begin = change.text.c_str();
  change.value = std::strtod(begin, &end);
  const std::string unit = end;
  const bool is_percent = unit == "%";
  change.is_factor = unit == "x" || is_percent;
  if (is_percent) change.value = 1 + change.value / 100;
  if (!change.is_factor) change.value *= scale_of(property.quantity, unit);
  const double most = change.is_factor ? kMostFactor : kMostValue;
  if (end == begin || !(change.value > 0 && change.value <= most)) {
    throw ConfigError(concat("--what-if: ", item,
                             "; valid: a factor as 2x or -10%, or a value above 0 as ",
                             example_of(property.quantity)));
  }
  return change;
}

bool acts_on(const ClusterSpec& cluster, const Property& property) {
  const std::string_view key = property.key;
  if (key == "host_launch" && cluster.accelerator.host_launch_s == 0) return false;
  const Links links = key.starts_with("island_")  ? Links::island
                      : key.starts_with("inter_") ? Links::inter
                                                  : Links::intra;
  return property.is_time && cluster.tiers.size() > first_tier(links);
}

}  // namespace

std::vector<MachineChange> parse_machine_changes(std::string_view text) {
  std::vector<MachineChange> changes;
  std::set<std::string> seen;
  while (!text.empty()) {
    const std::string item(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    changes.push_back(parse_change(item));
    if (!seen.insert(changes.back().key).second) {
      throw ConfigError(concat("--what-if: ", changes.back().key, " is given twice; valid: once"));
    }
  }
  return changes;
}

ClusterSpec with_changes(ClusterSpec cluster, const std::vector<MachineChange>& changes) {
  for (const MachineChange& change : changes) {
    property_of(change.key).apply(cluster, [&change](double before) {
      return change.is_factor ? before * change.value : change.value;
    });
  }
  const Accelerator& a = cluster.accelerator;
  if (a.memory_bytes <= a.reserved_bytes) {
    throw ConfigError(concat("--what-if: hbm: ", a.memory_bytes, " bytes, of which ",
                             a.reserved_bytes, " are reserved; valid: more, as 141GB"));
  }
  if (cluster.pue < 1) {
    throw ConfigError(concat("--what-if: pue: ", cluster.pue, "; valid: at least 1, as 1.2"));
  }
  return cluster;
}

std::string what_if_phrase(const std::vector<MachineChange>& changes) {
  std::string text;
  for (const MachineChange& change : changes) {
    text += concat(text.empty() ? "what if " : ", ", change.key, "=", change.text);
  }
  return text;
}

std::string changes_json(const std::vector<MachineChange>& changes) {
  Json json = Json::object();
  for (const MachineChange& change : changes) json[change.key] = change.text;
  return json.dump();
}

std::vector<std::string> time_properties(const ClusterSpec& cluster) {
  std::vector<std::string> keys;
  for (const Property& property : kProperties) {
    if (acts_on(cluster, property)) keys.emplace_back(property.key);
  }
  return keys;
}

}  // namespace argosy
