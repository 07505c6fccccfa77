// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/launch.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "planner/exchange/shell_tokens.h"
#include "planner/spec/check.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

constexpr int64_t kMost = 10'000'000;  // no product overflows

std::optional<int64_t> count_of(std::string_view text) {
  const std::optional<int64_t> value = number_in<int64_t>(text);
  return value && *value >= 1 && *value <= kMost ? value : std::nullopt;
}

// A number and where it stands.
struct Said {
  int64_t count = 0;
  std::string text;
};

// Options with their values, "--nnodes 4", "--nnodes=4" and "-N 4" alike; of --nproc-per-node the
// name is --nproc_per_node, as both are spelt.
class Options {
 public:
  explicit Options(const std::vector<std::string>& words) {
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (!word.starts_with('-')) continue;
      const size_t equals = word.find('=');
      const bool has_own = equals != std::string::npos;
      const std::string name = word.substr(0, equals);
      Option& option = options_[spelt(name)];
      option = {name, has_own ? word.substr(equals + 1) : ""};
      if (!has_own && i + 1 < words.size()) option.value = words[i + 1];
    }
  }

  bool has(const char* name) const { return options_.contains(name); }
  // The first of `names` that is there: nothing if it is no number ("gpu", "1:4", "$NODES").
  std::optional<Said> count(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const auto found = options_.find(name);
      if (found == options_.end()) continue;
      const std::string_view value = found->second.value;
      const size_t colon = value.rfind(':');  // gpu:h100:8, but not 1:4
      const bool is_range = colon != std::string_view::npos && count_of(value.substr(0, colon));
      const std::optional<int64_t> count =
          is_range ? std::nullopt : count_of(value.substr(colon + 1));
      if (!count) return std::nullopt;
      return Said{*count, concat(found->second.name, " ", value)};
    }
    return std::nullopt;
  }
  std::string text(const char* name) const {
    const auto found = options_.find(name);
    return found == options_.end() ? "" : found->second.value;
  }

 private:
  static std::string spelt(std::string name) {
    std::replace(name.begin() + 1, name.end(), '-', '_');
    if (name.starts_with("-_")) name[1] = '-';
    return name;
  }
  struct Option {
    std::string name, value;  // as they stand there
  };
  std::map<std::string, Option> options_;  // by name with underscores
};

// Of all #SBATCH lines, the last of each option.
Options batch_options(std::string_view text) {
  std::vector<std::string> words;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kMark = "#SBATCH";
    if (!line.starts_with(kMark)) continue;
    std::istringstream rest(line.substr(kMark.size()));
    for (std::string word; rest >> word && !word.starts_with('#');) words.push_back(word);
  }
  return Options(words);
}

std::optional<Said> nodes_of(const Options& options) {
  return options.count({"--nodes", "-N"});
}
std::optional<Said> gpus_of(const Options& options) {
  return options.count({"--gpus_per_node", "--gres", "--ntasks_per_node"});
}

std::optional<Said> in_batch(std::optional<Said> said) {
  if (said) said->text = "#SBATCH " + said->text;
  return said;
}

PeerLaunch product(const std::optional<Said>& nodes, const std::optional<Said>& each) {
  if (!nodes || !each) return {};
  const bool is_alone = nodes->text.empty();
  return {nodes->count * each->count,
          is_alone ? each->text : concat(nodes->text, " x ", each->text)};
}

class Launch {
 public:
  Launch(const ShellCommand& command, std::string_view text)
      : words_(command.launcher), options_(words_), batch_(batch_options(text)) {}

  PeerLaunch read() const {
    if (starts("torchrun") || starts("torch.distributed.run") ||
        starts("torch.distributed.launch")) {
      return product(nodes("--nnodes"), each("--nproc_per_node"));
    }
    if (starts("deepspeed")) {
      // Without --num_nodes those of the host file count.
      if (options_.has("--hostfile") && !options_.has("--num_nodes")) return {};
      return product(nodes("--num_nodes"), each("--num_gpus"));
    }
    if (starts("accelerate")) return product(Said{1, ""}, options_.count({"--num_processes"}));
    if (starts("mpirun") || starts("mpiexec")) {
      return product(Said{1, ""}, options_.count({"-np", "-n", "--np"}));
    }
    if (starts("run_train.sh")) {
      const std::optional<Said> gpus = setting("NGPU");
      return product(Said{1, ""}, gpus ? gpus : Said{8, "the default of run_train.sh"});
    }
    return of_batch();
  }

 private:
  bool starts(std::string_view program) const {
    return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
      return assignment_prefix(word) == 0 &&
             (word == program || word.ends_with("/" + std::string(program)));
    });
  }
  // NAME=value in front of the command.
  std::optional<Said> setting(const std::string& name) const {
    for (const std::string& word : words_) {
      if (!word.starts_with(name + "=")) continue;
      const std::optional<int64_t> count = count_of(word.substr(name.size() + 1));
      if (count) return Said{*count, word};
    }
    return std::nullopt;
  }
  // An option of the launcher; where its value is Slurm's, that of the batch job.
  std::optional<Said> option(const char* name, bool is_nodes) const {
    if (std::optional<Said> said = options_.count({name})) return said;
    if (!options_.text(name).starts_with("$SLURM_")) return std::nullopt;
    return in_batch(is_nodes ? nodes_of(batch_) : gpus_of(batch_));
  }
  // One node unless something else is said.
  std::optional<Said> nodes(const char* name) const {
    return options_.has(name) ? option(name, true) : Said{1, ""};
  }
  std::optional<Said> each(const char* name) const { return option(name, false); }

  // A rank a task: srun's own options win over those of the job.
  PeerLaunch of_batch() const {
    const bool is_srun = starts("srun");
    const Options none({});
    const Options& own = is_srun ? options_ : none;
    std::optional<Said> tasks = own.count({"--ntasks", "-n"});
    if (!tasks) tasks = in_batch(batch_.count({"--ntasks", "-n"}));
    if (tasks) return product(Said{1, ""}, tasks);
    const std::optional<Said> nodes = nodes_of(own), gpus = gpus_of(own);
    return product(nodes ? nodes : in_batch(nodes_of(batch_)),
                   gpus ? gpus : in_batch(gpus_of(batch_)));
  }

  const std::vector<std::string>& words_;
  Options options_, batch_;
};

}  // namespace

PeerLaunch launch_of(const ShellCommand& command, std::string_view text) {
  return Launch(command, text).read();
}

}  // namespace argosy
