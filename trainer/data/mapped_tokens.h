// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "trainer/data/data_file.h"
#include "trainer/data/dataset.h"

namespace argosy {

// The mapped array of `Token` behind the first `offset_bytes` of a file.
template <typename Token>
class MappedTokens : public TokenSource {
 public:
  MappedTokens(std::unique_ptr<DataFile> file, size_t offset_bytes)
      : file_(std::move(file)),
        tokens_(reinterpret_cast<const Token*>(file_->bytes().data() + offset_bytes)),
        num_tokens_(static_cast<int64_t>((file_->bytes().size() - offset_bytes) / sizeof(Token))) {
    const Token largest = *std::max_element(tokens_, tokens_ + num_tokens_);
    max_token_ = static_cast<int32_t>(std::min<uint64_t>(largest, INT32_MAX));
  }

  int64_t num_tokens() const override { return num_tokens_; }
  int32_t token(int64_t index) const override { return static_cast<int32_t>(tokens_[index]); }
  int32_t max_token() const override { return max_token_; }

 private:
  std::unique_ptr<DataFile> file_;
  const Token* tokens_;  // (num_tokens), inside file_
  int64_t num_tokens_;
  int32_t max_token_ = 0;
};

}  // namespace argosy
