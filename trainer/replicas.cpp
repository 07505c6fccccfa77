// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/replicas.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <tuple>

#include "checkpoint/exchange.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// A part of a tensor on one rank, as it travels: a rectangle, or of one that is kept as bytes a
// part of these.
struct Part {
  int64_t tensor = 0;  // index into the model's tensors
  int64_t row_begin = 0, row_end = 0, col_begin = 0, col_end = 0;
  int64_t kind = 0, byte_begin = 0, byte_end = 0;  // KeptBytes
  uint64_t hash = 0;
  auto place() const {
    return std::tuple(tensor, row_begin, row_end, col_begin, col_end, kind, byte_begin, byte_end);
  }
};

// Not cryptographic: each word is mixed in by a multiplication and a rotation, so that order and
// every bit count.
uint64_t hash_bytes(const void* data, int64_t bytes) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ULL;  // 2^64 / golden ratio
  const char* at = static_cast<const char*>(data);
  uint64_t hash = static_cast<uint64_t>(bytes) * kOdd;
  for (; bytes > 0; bytes -= 8, at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, static_cast<size_t>(std::min<int64_t>(bytes, 8)));
    hash = std::rotl((hash ^ word) * kOdd, 29);
  }
  return hash;
}

uint64_t hash_values(const Tensor& values) {
  DeviceBackend& backend = backend_of(values);
  if (backend.is_host_memory()) return hash_bytes(values.raw(), values.bytes());
  std::vector<char> bytes(static_cast<size_t>(values.bytes()));
  backend.download(values.raw(), bytes.data(), values.bytes());
  return hash_bytes(bytes.data(), values.bytes());
}

std::vector<Part> parts_of(const ParameterStore& store) {
  std::vector<Part> parts;
  const auto add = [&](const LocalTensor& local, const Box& box, const KeptBytes& bytes,
                       const Tensor& values) {
    parts.push_back({local.tensor, box.rows.begin, box.rows.end, box.cols.begin, box.cols.end,
                     bytes.kind, bytes.part.begin, bytes.part.end, hash_values(values)});
  };
  for (const LocalTensor& local : store.layout().tensors) {
    if (store.is_in_packed_shards(local)) {
      for (const KeptBytes& bytes : store.kept_bytes(local))
        add(local, local.box, bytes, bytes.bytes);
      continue;
    }
    for (const KeptPart& part : store.kept(local)) add(local, part.box, {}, part.values);
  }
  return parts;
}

std::string to_bytes(const std::vector<Part>& parts) {
  return {reinterpret_cast<const char*>(parts.data()), parts.size() * sizeof(Part)};
}

std::vector<Part> from_bytes(const std::string& bytes) {
  std::vector<Part> parts(bytes.size() / sizeof(Part));
  std::memcpy(parts.data(), bytes.data(), bytes.size());
  return parts;
}

std::string list_of(const std::vector<int64_t>& ranks) {
  std::string text = ranks.size() > 1 ? "ranks " : "rank ";
  for (size_t i = 0; i < ranks.size(); ++i) text += concat(i > 0 ? ", " : "", ranks[i]);
  return text;
}

// Axes in which two holders of the same part differ.
std::string axes_between(const Mesh& mesh, Domain domain, int64_t a, int64_t b) {
  const Coordinates x = coordinates(mesh, a), y = coordinates(mesh, b);
  const bool expert = domain == Domain::expert || domain == Domain::expert_frozen;
  std::string text;
  const auto add = [&](bool differ, const char* axis) {
    if (differ) append_listed(text, axis);
  };
  add(x.pp != y.pp, "embedding");
  add(!expert && x.tp != y.tp, "tp");
  add(!expert && x.cp != y.cp, "cp");
  add(!expert && x.dp != y.dp, "dp");
  add(expert && x.etp != y.etp, "etp");
  add(expert && x.edp != y.edp, "edp");
  return text;
}

using RanksByHash = std::map<uint64_t, std::vector<int64_t>>;

// `name` with the ranks outside the largest group that agrees; of equal groups that of the lowest
// rank.
std::string describe(const std::string& name, const Mesh& mesh, Domain domain,
                     const RanksByHash& groups) {
  const auto better = [](const auto& a, const auto& b) {
    const auto &x = a.second, &y = b.second;
    return x.size() != y.size() ? x.size() < y.size() : x.front() > y.front();
  };
  const auto majority = std::max_element(groups.begin(), groups.end(), better);
  std::vector<int64_t> others;
  for (auto it = groups.begin(); it != groups.end(); ++it) {
    if (it != majority) others.insert(others.end(), it->second.begin(), it->second.end());
  }
  std::sort(others.begin(), others.end());
  return concat(name, ": ", list_of(others), " differ from ", list_of(majority->second),
                ", copies along ",
                axes_between(mesh, domain, majority->second.front(), others.front()));
}

std::vector<std::string> lines_of(const Mesh& mesh, const ParameterStore& store,
                                  const std::vector<std::string>& bytes_by_rank) {
  using Place = decltype(Part{}.place());
  std::map<Place, RanksByHash> places;
  for (size_t rank = 0; rank < bytes_by_rank.size(); ++rank) {
    for (const Part& part : from_bytes(bytes_by_rank[rank]))
      places[part.place()][part.hash].push_back(static_cast<int64_t>(rank));
  }
  std::vector<std::string> lines;
  for (const auto& [place, groups] : places) {
    if (groups.size() < 2) continue;
    const TensorSpec& spec = store.tensors()[static_cast<size_t>(std::get<0>(place))];
    lines.push_back(
        describe(spec.name, mesh, spec.expert >= 0 ? Domain::expert : Domain::dense, groups));
  }
  return lines;
}

}  // namespace

std::vector<std::string> differing_replicas(const LayerContext& ctx, const ParameterStore& store) {
  Communicator& control = ctx.groups.control();
  const std::vector<std::string> parts = gather_strings_at_root(control, to_bytes(parts_of(store)));
  std::string text;
  if (control.rank() == 0) {
    for (const std::string& line : lines_of(ctx.plan.mesh, store, parts)) text += line + "\n";
  }
  text = broadcast_string(control, text);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace argosy
