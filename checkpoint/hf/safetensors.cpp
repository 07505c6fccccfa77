// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/safetensors.h"

#include <nlohmann/json.hpp>

#include "checkpoint/file_io.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

const char* word_of(DType dtype) {
  switch (dtype) {
    case DType::fp64:
      return "F64";
    case DType::fp32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::int32:
      return "I32";
    case DType::int16:
      return "I16";
    case DType::uint8:
      return "U8";
  }
  CHECK(false, "dtype ", static_cast<int>(dtype));
}

std::string header_text(const std::vector<SafeTensor>& tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};  // transformers refuses files without it
  int64_t offset = 0;
  for (const SafeTensor& tensor : tensors) {
    const int64_t end = offset + tensor.size_bytes();
    header[tensor.name] = {
        {"dtype", word_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // data begin at a multiple of 8
  return text;
}

}  // namespace

int64_t SafeTensor::size_bytes() const {
  int64_t bytes = size_in_bytes(dtype);
  for (const int64_t size : shape) bytes *= size;
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<SafeTensor>& tensors,
                       const TensorBytes& bytes_of) {
  const std::string header = header_text(tensors);
  const uint64_t length = header.size();  // little endian, as every machine that this runs on
  File file = File::create(path);
  file.write_at(0, &length, sizeof length);
  int64_t offset = sizeof length;
  file.write_at(offset, header.data(), static_cast<int64_t>(header.size()));
  offset += static_cast<int64_t>(header.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::vector<unsigned char> bytes = bytes_of(i);
    CHECK(static_cast<int64_t>(bytes.size()) == tensors[i].size_bytes(), tensors[i].name);
    file.write_at(offset, bytes.data(), tensors[i].size_bytes());
    offset += tensors[i].size_bytes();
  }
  file.sync();
  file.close();
}

}  // namespace argosy
