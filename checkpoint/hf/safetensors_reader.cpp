// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hf/safetensors_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

// The reference implementation refuses longer headers too.
constexpr uint64_t kLongestHeaderBytes = 100'000'000;

struct Mapping {
  const unsigned char* data = nullptr;
  size_t size = 0;
};

std::shared_ptr<const Mapping> map_file(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto fail = [&](const char* call) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    throw ConfigError(
        concat(path.string(), ": ", call, ": ", std::generic_category().message(code)));
  };
  if (descriptor < 0) fail("open");
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0) fail("fstat");
  const auto size = static_cast<size_t>(info.st_size);
  void* const address =
      size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) fail("mmap");
  ::close(descriptor);
  return {new Mapping{static_cast<const unsigned char*>(address), size}, [](const Mapping* file) {
            if (file->size > 0) ::munmap(const_cast<unsigned char*>(file->data), file->size);
            delete file;
          }};
}

// Elements of a shape; -1 where it is none.
int64_t count_elements(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) return -1;
  }
  return elements;
}

}  // namespace

int64_t FoundTensor::element_bytes() const {
  if (dtype == "F64") return 8;
  if (dtype == "F32") return 4;
  return dtype == "F16" || dtype == "BF16" ? 2 : 0;
}

std::map<std::string, FoundTensor> read_safetensors(const std::filesystem::path& path) {
  const std::shared_ptr<const Mapping> file = map_file(path);
  const auto fail = [&](const std::string& what) {
    throw ConfigError(concat(path.string(), ": ", what));
  };
  uint64_t length = 0;
  if (file->size >= sizeof length) std::memcpy(&length, file->data, sizeof length);
  if (length == 0 || length > kLongestHeaderBytes || length > file->size - sizeof length) {
    fail("no safetensors file, or cut");
  }
  const std::string_view text(reinterpret_cast<const char*>(file->data) + sizeof length, length);
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) fail("its header is no JSON object");
  const auto num_data_bytes = static_cast<int64_t>(file->size - sizeof length - length);
  std::map<std::string, FoundTensor> tensors;
  std::set<std::pair<int64_t, int64_t>> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    FoundTensor tensor;
    int64_t begin = 0, end = 0;
    try {
      tensor.dtype = entry.at("dtype").get<std::string>();
      tensor.shape = entry.at("shape").get<std::vector<int64_t>>();
      begin = entry.at("data_offsets").at(0).get<int64_t>();
      end = entry.at("data_offsets").at(1).get<int64_t>();
    } catch (const Json::exception& error) {
      fail(concat(name, ": ", error.what()));
    }
    const int64_t each = tensor.element_bytes(), elements = count_elements(tensor.shape);
    if (each == 0)
      fail(concat(name, ": dtype ", tensor.dtype, " is not supported; valid: F64, F32, BF16, F16"));
    if (begin < 0 || end < begin || end > num_data_bytes || elements < 0 ||
        elements > num_data_bytes / each || elements * each != end - begin) {
      fail(concat(name, ": bytes [", begin, ", ", end, ") of ", num_data_bytes,
                  " do not hold its shape; the file is damaged or was cut"));
    }
    tensor.data = file->data + sizeof length + length + begin;
    tensor.bytes = end - begin;
    tensor.file = file;
    ranges.emplace(begin, end);
    tensors.emplace(name, std::move(tensor));
  }
  int64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) fail(concat("data overlap or leave a hole at byte ", covered));
    covered = end;
  }
  if (covered != num_data_bytes)
    fail(concat("its tensors end at byte ", covered, " of ", num_data_bytes));
  return tensors;
}

}  // namespace argosy
