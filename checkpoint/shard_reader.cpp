// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/shard_reader.h"

#include <algorithm>
#include <utility>

#include "checkpoint/coverage.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Large enough that a read costs more than its call, small enough for any host.
constexpr int64_t kBucketBytes = int64_t{4} << 20;

// The part of `box` that starts at element (row, col) and fits into max_elements.
Box next_part(const Box& box, int64_t row, int64_t col, int64_t max_elements) {
  const int64_t width = box.cols.size();
  if (col == box.cols.begin && width <= max_elements) {
    return {{row, std::min(box.rows.end, row + max_elements / width)}, box.cols};
  }
  return {{row, row + 1}, {col, std::min(box.cols.end, col + max_elements)}};
}

}  // namespace

ShardReader::ShardReader(std::filesystem::path checkpoint_dir, const Manifest& manifest)
    : directory_(std::move(checkpoint_dir)), manifest_(manifest) {}

const File& ShardReader::open(int shard) {
  if (open_shard_ != shard || !file_) {
    file_.reset();
    file_.emplace(
        File::open_for_reading(directory_ / manifest_.shards.at(static_cast<size_t>(shard)).file));
    open_shard_ = shard;
  }
  return *file_;
}

void ShardReader::read(const StoredTensor& tensor, const Extent& extent, const UsePart& use) {
  const File& file = open(extent.shard);
  const int64_t element_bytes = size_in_bytes(tensor.dtype);
  const int64_t max_elements = kBucketBytes / element_bytes;
  bucket_.resize(static_cast<size_t>(std::min(extent.bytes, kBucketBytes)));

  uint32_t crc = 0;
  int64_t offset = extent.offset;
  int64_t row = extent.box.rows.begin, col = extent.box.cols.begin;
  while (row < extent.box.rows.end) {
    const Box part = next_part(extent.box, row, col, max_elements);
    const int64_t bytes = part.size() * element_bytes;
    file.read_at(offset, bucket_.data(), bytes);
    crc = crc32c(bucket_.data(), bytes, crc);
    use(part, bucket_.data());
    offset += bytes;
    const bool row_done = part.cols.end == extent.box.cols.end;
    row = row_done ? part.rows.end : row;
    col = row_done ? extent.box.cols.begin : part.cols.end;
  }
  if (crc != extent.crc32c) {
    throw Error(concat(file.path().string(), ": damaged: ", full_name(tensor), " ",
                       to_string(extent.box), ", ", extent.bytes, " bytes at offset ",
                       extent.offset, ": CRC-32C is ", std::hex, crc, ", the manifest says ",
                       extent.crc32c));
  }
}

}  // namespace argosy
