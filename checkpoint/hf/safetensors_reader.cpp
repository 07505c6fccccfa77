// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/safetensors_reader.h"

#include <cstring>
#include <set>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "planner/spec/mapped_file.h"

namespace argosy {
namespace {

// The reference implementation refuses longer headers too.
constexpr uint64_t kLongestHeaderBytes = 100'000'000;

// Elements of a shape; -1 where it is none.
int64_t count_elements(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) return -1;
  }
  return elements;
}

// What the header's entry says, within the file's data.
struct Entry {
  FoundTensor tensor;
  int64_t begin = 0, end = 0;
};

// Throws ConfigError where the entry says what cannot be.
Entry read_entry(const Json& json, int64_t num_data_bytes) {
  Entry entry;
  try {
    entry.tensor.dtype = json.at("dtype").get<std::string>();
    entry.tensor.shape = json.at("shape").get<std::vector<int64_t>>();
    entry.begin = json.at("data_offsets").at(0).get<int64_t>();
    entry.end = json.at("data_offsets").at(1).get<int64_t>();
  } catch (const Json::exception& error) {
    throw ConfigError(error.what());
  }
  const int64_t each = entry.tensor.element_bytes(), elements = count_elements(entry.tensor.shape);
  if (each == 0) {
    throw ConfigError(
        concat("dtype ", entry.tensor.dtype, " is not supported; valid: F64, F32, BF16, F16"));
  }
  if (entry.begin < 0 || entry.end < entry.begin || entry.end > num_data_bytes || elements < 0 ||
      elements > num_data_bytes / each || elements * each != entry.end - entry.begin) {
    throw ConfigError(concat("bytes [", entry.begin, ", ", entry.end, ") of ", num_data_bytes,
                             " do not hold its shape; the file is damaged or was cut"));
  }
  return entry;
}

// Tensors follow each other without holes: nothing hides between them.
void check_covered(const std::set<std::pair<int64_t, int64_t>>& ranges, int64_t num_data_bytes) {
  int64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered)
      throw ConfigError(concat("data overlap or leave a hole at byte ", covered));
    covered = end;
  }
  if (covered != num_data_bytes)
    throw ConfigError(concat("its tensors end at byte ", covered, " of ", num_data_bytes));
}

}  // namespace

int64_t FoundTensor::element_bytes() const {
  if (dtype == "F64") return 8;
  if (dtype == "F32") return 4;
  if (dtype == kPackedDtype) return 1;
  return dtype == "F16" || dtype == "BF16" ? 2 : 0;
}

std::map<std::string, FoundTensor> read_safetensors(const std::filesystem::path& path) {
  const auto file =
      std::make_shared<const MappedFile>(path, "weights", "a file of safetensors is wanted");
  const auto* data = reinterpret_cast<const unsigned char*>(file->bytes().data());
  const size_t size_bytes = file->bytes().size();
  std::map<std::string, FoundTensor> tensors;
  std::string at;  // "NAME: " of the tensor that is looked at
  try {
    uint64_t length = 0;
    if (size_bytes >= sizeof length) std::memcpy(&length, data, sizeof length);
    if (length == 0 || length > kLongestHeaderBytes || length > size_bytes - sizeof length)
      throw ConfigError("no safetensors file, or cut");
    const std::string_view text(reinterpret_cast<const char*>(data) + sizeof length, length);
    const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!header.is_object()) throw ConfigError("its header is no JSON object");
    const auto num_data_bytes = static_cast<int64_t>(size_bytes - sizeof length - length);
    std::set<std::pair<int64_t, int64_t>> ranges;
    for (const auto& [name, json] : header.items()) {
      if (name == "__metadata__") continue;
      at = name + ": ";
      Entry entry = read_entry(json, num_data_bytes);
      entry.tensor.data = data + sizeof length + length + entry.begin;
      entry.tensor.file = file;
      ranges.emplace(entry.begin, entry.end);
      tensors.emplace(name, std::move(entry.tensor));
    }
    at.clear();
    check_covered(ranges, num_data_bytes);
  } catch (const ConfigError& error) {
    throw ConfigError(concat(path.string(), ": ", at, error.what()));
  }
  return tensors;
}

}  // namespace argosy
