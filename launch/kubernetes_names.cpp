// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/kubernetes_names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr size_t kLongestLabel = 63, kLongestName = 253;
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

bool is_label(std::string_view text) {
  const auto is_inside = [](char c) {
    return is_one_of(c, kLetters) || is_one_of(c, kDigits) || c == '-';
  };
  return !text.empty() && text.size() <= kLongestLabel && text.front() != '-' &&
         text.back() != '-' && std::all_of(text.begin(), text.end(), is_inside);
}

// Labels with dots between them.
bool is_dns_name(std::string_view text) {
  if (text.size() > kLongestName) return false;
  for (size_t dot = 0; dot != std::string_view::npos;) {
    dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  }
  return true;
}

// "argosy-llama-3-1-8b" of "Llama-3.1-8B".
std::string name_of_model(const std::string& model, size_t longest) {
  std::string name = "argosy-";
  for (const char c : model) {
    const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    name += is_one_of(lower, kLetters) || is_one_of(lower, kDigits) ? lower : '-';
  }
  name.resize(std::min(name.size(), longest));
  return name.substr(0, name.find_last_not_of('-') + 1);
}

}  // namespace

void check_label(const std::string& value, const char* option) {
  if (is_label(value)) return;
  throw ConfigError(concat(option, ": '", value, "'; valid: at most ", kLongestLabel,
                           " of a-z, 0-9 and -, no - at its ends"));
}

std::string job_name(const std::string& given, const std::string& model, int64_t num_workers) {
  const size_t longest = kLongestLabel - concat("-worker-", num_workers - 1).size();
  if (given.empty()) return name_of_model(model, longest);
  if (is_label(given) && given.size() <= longest && is_one_of(given[0], kLetters)) return given;
  throw ConfigError(concat("--job-name: '", given, "'; valid: at most ", longest,
                           " of a-z, 0-9 and -, a letter first, no - at the end"));
}

std::vector<VolumeClaim> volume_claims(const std::vector<std::string>& words) {
  if (words.empty()) {
    throw ConfigError(
        "--scheduler kubernetes: --claim is missing: a volume that outlives the pods, for data and "
        "run folder, as --claim NAME:/path/in/pods");
  }
  std::vector<VolumeClaim> claims;
  for (const std::string& word : words) {
    const size_t colon = word.find(':');
    VolumeClaim claim{word.substr(0, colon),
                      colon == std::string::npos ? "" : word.substr(colon + 1)};
    while (claim.path.size() > 1 && claim.path.back() == '/') claim.path.pop_back();
    const bool is_path =
        claim.path.size() > 1 && claim.path[0] == '/' && claim.path.find(':') == std::string::npos;
    if (!is_dns_name(claim.name) || !is_path) {
      throw ConfigError(concat("--claim: '", word, "'; valid: NAME:/path/in/pods, the name of a ",
                               "PersistentVolumeClaim (a-z, 0-9, - and .) and an absolute path"));
    }
    for (const VolumeClaim& other : claims) {
      if (other.path != claim.path) continue;
      throw ConfigError(concat("--claim: ", claim.path, " is given to ", other.name, " and to ",
                               claim.name, "; valid: a path of its own for each"));
    }
    claims.push_back(std::move(claim));
  }
  return claims;
}

void check_image(const std::string& image) {
  if (image.empty()) {
    throw ConfigError(
        "--scheduler kubernetes: --image is missing: a container image with argosy-launch and "
        "argosy-train in PATH, Open MPI and an SSH server");
  }
  const bool is_name = std::all_of(image.begin(), image.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || is_one_of(c, "._-/:@");
  });
  if (is_name && std::isalnum(static_cast<unsigned char>(image[0])) != 0) return;
  throw ConfigError(concat("--image: '", image, "'; valid: as registry.example/argosy:1.0"));
}

void check_memory(const std::string& amount) {
  const size_t digits = amount.find_first_not_of(kDigits);
  const std::string unit = digits == std::string::npos ? "" : amount.substr(digits);
  constexpr std::array<std::string_view, 9> kUnits = {"",   "k",  "M",  "G", "T",
                                                      "Ki", "Mi", "Gi", "Ti"};
  const bool is_number = digits != 0 && !amount.empty() && amount[0] != '0';
  if (is_number && std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end()) return;
  throw ConfigError(concat("--memory: '", amount, "'; valid: bytes, as 512Gi or 64G"));
}

}  // namespace argosy
