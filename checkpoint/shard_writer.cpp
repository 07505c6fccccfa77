// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/shard_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "checkpoint/coverage.h"
#include "checkpoint/file_io.h"
#include "checkpoint/hdf5_structure.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Small enough that the CRC leaves the bytes in the cache for the write.
constexpr int64_t kBucketBytes = int64_t{1} << 20;

// The first bytes of every HDF5 file (HDF5 file format specification, II.A).
constexpr std::array<unsigned char, 8> kHdf5Signature = {0x89, 'H',  'D',  'F',
                                                         '\r', '\n', 0x1a, '\n'};

std::string dataset_path(const TensorPiece& piece) {
  return concat("/", piece.kind, "/", piece.name, "/", piece.box.rows.begin, "_",
                piece.box.rows.end, "_", piece.box.cols.begin, "_", piece.box.cols.end);
}

std::vector<DatasetSpec> dataset_specs(const std::vector<TensorPiece>& pieces) {
  std::vector<DatasetSpec> specs;
  std::set<std::string> paths;
  for (const TensorPiece& piece : pieces) {
    specs.push_back({dataset_path(piece), piece.rows, piece.cols, piece.box, piece.dtype});
    if (!paths.insert(specs.back().path).second) {
      throw Error(concat(piece.kind, "/", piece.name, " ", to_string(piece.box),
                         " is written twice by one rank"));
    }
  }
  return specs;
}

// Returns the CRC of the data.
uint32_t write_data(File& file, int64_t offset, const TensorPiece& piece, int64_t bytes) {
  uint32_t crc = 0;
  const auto* data = static_cast<const char*>(piece.data);
  std::vector<char> bucket(piece.memory ? static_cast<size_t>(std::min(kBucketBytes, bytes)) : 0);
  for (int64_t done = 0; done < bytes; done += kBucketBytes) {
    const int64_t count = std::min(kBucketBytes, bytes - done);
    const char* from = data + done;
    if (piece.memory) {
      piece.memory->read(data + done, bucket.data(), count);
      from = bucket.data();
    }
    crc = crc32c(from, count, crc);
    file.write_at(offset + done, from, count);
  }
  return crc;
}

// HDF5 may report success without having written anything.
void check_file_header(const File& file) {
  std::array<unsigned char, kHdf5Signature.size()> first{};
  file.read_at(0, first.data(), static_cast<int64_t>(first.size()));
  if (first == kHdf5Signature) return;
  throw Error(concat(file.path().string(), ": HDF5 reported success but wrote no file header"));
}

}  // namespace

std::string shard_file_name(int rank) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "shard_%05d.h5", rank);
  return text.data();
}

void check_piece(const TensorPiece& piece) {
  const std::string name = concat(piece.kind, "/", piece.name);
  if (piece.kind.empty() || piece.name.empty()) throw Error(concat("piece '", name, "': no name"));
  if (piece.rows < 1 || piece.cols < 1) {
    throw Error(concat(name, ": impossible shape (", piece.rows, ", ", piece.cols, ")"));
  }
  const Box& box = piece.box;
  if (box.rows.begin < 0 || box.rows.end > piece.rows || box.cols.begin < 0 ||
      box.cols.end > piece.cols) {
    throw Error(concat(name, " ", to_string(box), ": outside of the tensor of shape (", piece.rows,
                       ", ", piece.cols, ")"));
  }
  if (piece.data == nullptr) throw Error(concat(name, " ", to_string(box), ": no memory"));
}

Manifest write_shard(const std::filesystem::path& directory, int rank, int64_t step,
                     const std::vector<TensorPiece>& all_pieces) {
  std::vector<TensorPiece> pieces;
  for (const TensorPiece& piece : all_pieces) {
    if (piece.box.empty()) continue;
    check_piece(piece);
    pieces.push_back(piece);
  }
  Manifest share;
  if (pieces.empty()) return share;

  const std::vector<DatasetSpec> specs = dataset_specs(pieces);
  const std::filesystem::path path = directory / shard_file_name(rank);
  const std::vector<int64_t> offsets = create_hdf5_structure(path, step, specs);

  File file = File::open_for_writing(path);
  int64_t file_bytes = file.size_bytes();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const int64_t bytes = pieces[i].box.size() * size_in_bytes(pieces[i].dtype);
    file_bytes = std::max(file_bytes, offsets[i] + bytes);
  }
  file.allocate(file_bytes);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const int64_t bytes = pieces[i].box.size() * size_in_bytes(pieces[i].dtype);
    const uint32_t crc = write_data(file, offsets[i], pieces[i], bytes);
    const TensorPiece& piece = pieces[i];
    share.tensors.push_back({piece.name,
                             piece.kind,
                             piece.rows,
                             piece.cols,
                             piece.dtype,
                             {{0, specs[i].path, offsets[i], bytes, piece.box, crc}}});
  }
  check_file_header(file);
  const uint32_t file_crc = crc32c_of_file(file, file_bytes);  // HDF5's own structures included
  file.sync();
  file.close();
  share.shards.push_back({shard_file_name(rank), file_bytes, file_crc});
  return share;
}

}  // namespace argosy
