// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The manifest as text: JSON, then one line with the CRC-32C of that JSON.
#include "checkpoint/manifest.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "checkpoint/file_io.h"
#include "checkpoint/manifest_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

using nlohmann::json;

constexpr std::string_view kFooterWord = "crc32c ";
constexpr size_t kFooterBytes = kFooterWord.size() + 8 + 1;  // eight hexadecimal digits, newline

// An extent takes about 200 bytes of text: room for five million of them.
constexpr int64_t kMaxManifestBytes = int64_t{1} << 30;

std::string hex(uint32_t value) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}

json extent_json(const Extent& e) {
  return {{"shard", e.shard},
          {"dataset", e.dataset},
          {"offset", e.offset},
          {"bytes", e.bytes},
          {"crc32c", e.crc32c},
          {"rows", {e.box.rows.begin, e.box.rows.end}},
          {"cols", {e.box.cols.begin, e.box.cols.end}}};
}

json tensor_json(const StoredTensor& tensor) {
  json extents = json::array();
  for (const Extent& extent : tensor.extents) extents.push_back(extent_json(extent));
  return {{"name", tensor.name},
          {"kind", tensor.kind},
          {"shape", {tensor.rows, tensor.cols}},
          {"dtype", to_string(tensor.dtype)},
          {"extents", std::move(extents)}};
}

json shard_json(const StoredShard& shard) {
  return {{"file", shard.file}, {"bytes", shard.bytes}, {"crc32c", shard.crc32c}};
}

// Invalid UTF-8 is replaced rather than refused: free text must not stop a save.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

DType dtype_from_json(const json& value) {
  const auto& text = value.get_ref<const std::string&>();
  for (DType dtype : {DType::fp64, DType::fp32, DType::bf16, DType::int32}) {
    if (text == to_string(dtype)) return dtype;
  }
  throw Error(concat("dtype '", text, "' is unknown; known: fp64, fp32, bf16, int32"));
}

// JSON numbers may be fractions, negative or too large; get<>() would convert them silently.
int64_t integer_from_json(const json& parent, const char* key) {
  const json& value = parent.at(key);
  if (value.is_number_unsigned() && value.get<uint64_t>() <= INT64_MAX) return value.get<int64_t>();
  throw Error(concat(key, ": ", value.dump(-1, ' ', false, json::error_handler_t::replace),
                     " is not a whole number from 0 to 2^63 - 1"));
}

template <typename T>
T narrow(const json& parent, const char* key) {
  const int64_t value = integer_from_json(parent, key);
  const T narrowed = static_cast<T>(value);
  if (static_cast<int64_t>(narrowed) != value)
    throw Error(concat(key, ": ", value, " is too large"));
  return narrowed;
}

std::array<int64_t, 2> pair_from_json(const json& parent, const char* key) {
  const json& value = parent.at(key);
  const bool two_counts = value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
                          value[1].is_number_unsigned() && value[0].get<uint64_t>() <= INT64_MAX &&
                          value[1].get<uint64_t>() <= INT64_MAX;
  if (!two_counts) throw Error(concat(key, ": not a pair of whole numbers from 0 to 2^63 - 1"));
  return {value[0].get<int64_t>(), value[1].get<int64_t>()};
}

Extent extent_from_json(const json& value) {
  Extent extent;
  extent.shard = narrow<int>(value, "shard");
  extent.dataset = value.at("dataset").get<std::string>();
  extent.offset = integer_from_json(value, "offset");
  extent.bytes = integer_from_json(value, "bytes");
  extent.crc32c = narrow<uint32_t>(value, "crc32c");
  const auto rows = pair_from_json(value, "rows"), cols = pair_from_json(value, "cols");
  extent.box = {{rows[0], rows[1]}, {cols[0], cols[1]}};
  return extent;
}

StoredTensor tensor_from_json(const json& value) {
  StoredTensor tensor;
  tensor.name = value.at("name").get<std::string>();
  tensor.kind = value.at("kind").get<std::string>();
  const auto shape = pair_from_json(value, "shape");
  tensor.rows = shape[0];
  tensor.cols = shape[1];
  tensor.dtype = dtype_from_json(value.at("dtype"));
  for (const json& extent : value.at("extents")) {
    tensor.extents.push_back(extent_from_json(extent));
  }
  return tensor;
}

Manifest manifest_from_document(const json& document) {
  Manifest manifest;
  manifest.format_version = narrow<int>(document, "format_version");
  if (manifest.format_version != kManifestFormatVersion) {
    throw Error(concat("format_version is ", manifest.format_version, ", this program reads ",
                       kManifestFormatVersion));
  }
  manifest.step = integer_from_json(document, "step");
  manifest.plan_json = document.at("plan_json").get<std::string>();
  manifest.state = document.at("state").get<std::map<std::string, std::string>>();
  for (const json& shard : document.at("shards")) {
    manifest.shards.push_back({shard.at("file").get<std::string>(),
                               integer_from_json(shard, "bytes"),
                               narrow<uint32_t>(shard, "crc32c")});
  }
  for (const json& tensor : document.at("tensors")) {
    manifest.tensors.push_back(tensor_from_json(tensor));
  }
  return manifest;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  std::string text =
      concat("{\n\"format_version\": ", manifest.format_version, ",\n\"step\": ", manifest.step,
             ",\n\"plan_json\": ", dump(manifest.plan_json), ",\n\"state\": ", dump(manifest.state),
             ",\n\"shards\": [");
  const char* separator = "\n";
  for (const StoredShard& shard : manifest.shards) {
    text += separator + dump(shard_json(shard));
    separator = ",\n";
  }
  text += "],\n\"tensors\": [";
  separator = "\n";
  for (const StoredTensor& tensor : manifest.tensors) {
    text += separator + dump(tensor_json(tensor));
    separator = ",\n";
  }
  return text + "]\n}\n";
}

std::string manifest_file_text(const Manifest& manifest) {
  const std::string text = to_json(manifest);
  const uint32_t crc = crc32c(text.data(), static_cast<int64_t>(text.size()));
  return concat(text, kFooterWord, hex(crc), "\n");
}

Manifest manifest_from_json(std::string_view json_text, const std::string& where) {
  try {
    return manifest_from_document(json::parse(json_text));
  } catch (const json::exception& e) {
    throw Error(concat(where, ": ", e.what()));
  } catch (const Error& e) {
    throw Error(concat(where, ": ", e.what()));
  }
}

Manifest parse_manifest_file(std::string_view text, const std::string& where) {
  if (text.size() < kFooterBytes || text.back() != '\n' ||
      text.substr(text.size() - kFooterBytes, kFooterWord.size()) != kFooterWord) {
    throw Error(concat(where, ": truncated: the last line is not 'crc32c' and eight digits"));
  }
  const std::string_view json_text = text.substr(0, text.size() - kFooterBytes);
  const std::string_view stored = text.substr(text.size() - 9, 8);
  const std::string actual = hex(crc32c(json_text.data(), static_cast<int64_t>(json_text.size())));
  if (stored != actual) {
    throw Error(
        concat(where, ": damaged: its CRC-32C is ", actual, ", its last line says ", stored));
  }
  Manifest manifest = manifest_from_json(json_text, where);
  check_manifest(manifest, where);
  return manifest;
}

std::string read_manifest_text(const std::filesystem::path& checkpoint_dir) {
  const std::filesystem::path path = checkpoint_dir / kManifestFile;
  if (!std::filesystem::exists(path)) {
    throw Error(concat(path.string(), ": missing; a folder without it is not a checkpoint"));
  }
  return read_file(path, kMaxManifestBytes);
}

Manifest read_manifest(const std::filesystem::path& checkpoint_dir) {
  return parse_manifest_file(read_manifest_text(checkpoint_dir),
                             (checkpoint_dir / kManifestFile).string());
}

std::string full_name(const StoredTensor& tensor) {
  return tensor.kind + "/" + tensor.name;
}

}  // namespace argosy
