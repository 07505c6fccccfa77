// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data_streams.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "trainer/data/ended_documents.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

void pack(StreamOpener& opener, const fs::path& path, DataStream* stream) {
  const Packing packing = opener.options.packing;
  const int64_t seq_len = opener.plan.seq_len;
  if (seq_len < 2) {
    throw ConfigError(concat(path.string(), ": --packing ", to_string(packing),
                             " needs sequences of at least 2 tokens, the plan has ", seq_len));
  }
  std::shared_ptr<TokenSource> rows = std::move(stream->source);
  const std::vector<int64_t> begins =
      row_begins_of(*rows, opener.document_ends(*rows), path.string());
  PackedSamples samples = pack_rows(begins, rows->num_tokens(), seq_len, packing);
  auto packed = std::make_shared<PackedRows>(std::move(rows), std::move(samples), seq_len);
  stream->packed = packed.get();
  stream->source = std::move(packed);
}

// One token that ends documents the layers look for, of several the source knows.
void mark_documents(StreamOpener& opener, DataStream* stream) {
  if (!opener.options.document_mask || stream->source->knows_documents()) return;
  std::vector<int32_t> ends = opener.document_ends(*stream->source);
  if (ends.size() < 2) return;
  stream->source = std::make_shared<EndedDocuments>(std::move(stream->source), std::move(ends));
}

// What became of rows that are longer than a sample.
std::string describe_cuts(const PackedSamples& samples) {
  if (samples.num_cut == 0) return "none cut";
  const std::string cut = format_counted(samples.num_cut, "row") + " cut";
  if (samples.num_dropped > 0) {
    return concat(cut, ", ", format_counted(samples.num_dropped, "token"), " dropped");
  }
  const int64_t num_pieces = std::ssize(samples.pieces) - samples.num_rows + samples.num_cut;
  return concat(cut, " into ", format_grouped(num_pieces), " pieces");
}

// The model's; of several the one that the tokenizer beside it says.
std::vector<int32_t> ends_of_model(const StreamOpener& opener) {
  std::vector<int32_t> ends =
      end_tokens_of_config(opener.plan.model.config_json, "the model of the plan");
  if (ends.size() < 2 || opener.tokenizer_folder.empty()) return ends;
  const auto choose = [&](const TokenizerFolder& own) {
    if (own.specials.contains("eos_token")) ends = {own.end_of_text};
    return ends;
  };
  if (!opener.tokenizer.folder.empty()) return choose(opener.tokenizer);  // it has read the text
  return choose(read_tokenizer(opener.tokenizer_folder));
}

}  // namespace

DataStream StreamOpener::open(const char* option, const fs::path& path, uint64_t seed) {
  return naming(option, [&] {
    DataStream stream;
    stream.source = open_tokens(path, plan.model.vocab_size, tokenizer);
    if (options.packing == Packing::stream) {
      mark_documents(*this, &stream);
    } else {
      pack(*this, path, &stream);
    }
    stream.order = std::make_unique<SampleOrder>(stream.source->num_tokens(), plan.seq_len, seed,
                                                 path.string());
    return stream;
  });
}

DataStream StreamOpener::hold_out(double fraction, DataStream* stream) const {
  const int64_t num_samples = stream->order->num_samples();
  if (num_samples < 2) {
    throw ConfigError(concat("--eval-fraction: --data has one sample of ", plan.seq_len,
                             " tokens, of which none can be held out"));
  }
  const auto wanted = static_cast<int64_t>(std::llround(fraction * double(num_samples)));
  SampleOrder::Split split =
      stream->order->hold_out(std::clamp<int64_t>(wanted, 1, num_samples - 1));
  stream->order = std::make_unique<SampleOrder>(split.training);
  return {stream->source, std::make_unique<SampleOrder>(split.held_out), stream->packed};
}

std::vector<int32_t> StreamOpener::document_ends(const TokenSource& source) {
  if (options.end_of_text >= 0) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    return {static_cast<int32_t>(std::min(options.end_of_text, kMost))};
  }
  if (source.is_text() && tokenizer.end_of_text >= 0) return {tokenizer.end_of_text};
  if (!ends_of_tokens) ends_of_tokens = ends_of_model(*this);
  return *ends_of_tokens;
}

std::string describe_data(const fs::path& path, const DataStream& stream,
                          const TokenizerFolder& tokenizer) {
  const TokenSource& file = stream.file();
  const auto num_tokens = static_cast<double>(file.num_tokens());
  std::string text = concat("data     ", path.string(), ", ", format_count(num_tokens), " tokens");
  const int64_t num_targets =
      stream.packed != nullptr ? file.num_tokens() : stream.source->num_targets();
  if (num_targets < file.num_tokens()) {
    const double share = static_cast<double>(num_targets) / num_tokens;
    text += concat(", ", std::lround(100 * share), "% of them learned");
  }
  if (!file.is_text()) return text;
  if (tokenizer.folder.empty()) return text + "; bytes";
  return concat(text, "; tokenizer ", tokenizer.folder.string(), ", ",
                format_grouped(tokenizer.tokenizer.num_tokens()), " tokens");
}

std::string describe_samples(const DataStream& stream, int64_t seq_len) {
  if (stream.packed == nullptr) {
    if (!stream.source->has_rows()) return "";
    return concat("samples  ", format_grouped(stream.order->num_samples()), " of ", seq_len,
                  " tokens, cut from the stream of rows; --packing best-fit keeps rows whole");
  }
  const PackedSamples& samples = stream.packed->samples();
  const auto num_positions = static_cast<double>(samples.num_samples() * seq_len);
  return concat("samples  ", format_counted(samples.num_rows, "row"), " in ",
                format_grouped(samples.num_samples()), " of ", seq_len, " tokens, ",
                format_percent(static_cast<double>(samples.num_placed) / num_positions), " full, ",
                describe_cuts(samples), ", ", format_counted(stream.packed->num_targets(), "token"),
                " learned");
}

std::string memory_warning(const DataStream& data, const DataStream& evaluation, int local_ranks) {
  constexpr int64_t kMuch = int64_t{1} << 30;
  const bool has_more = evaluation.source != nullptr && evaluation.source != data.source;
  const int64_t held_bytes =
      data.source->held_bytes() + (has_more ? evaluation.source->held_bytes() : 0);
  if (local_ranks < 2 || held_bytes * local_ranks < kMuch) return "";
  return concat("--data: its tokens take ", format_bytes(held_bytes), " of memory on each of ",
                local_ranks, " ranks of a host, ", format_bytes(held_bytes * local_ranks),
                " in all; files of tokens (.bin) are shared by the ranks");
}

}  // namespace argosy
