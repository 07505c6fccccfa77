// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Latency and bandwidth from timed messages.
#pragma once

#include <string>
#include <vector>

#include "planner/spec/ledger.h"

namespace argosy {

// One timed collective: what the plain cost model says it does (planner/cost/collective.h), and
// what it took.
struct TransferSample {
  CollectiveKind kind = CollectiveKind::all_gather;
  double steps = 0;        // messages that follow each other
  double moved_bytes = 0;  // through the link of a rank, one direction
  double seconds = 0;
};

// A call of `kind` over n ranks with `bytes` of payload as CollectiveTotal counts them. A send is
// one to the next rank while another comes from the previous one.
TransferSample transfer(CollectiveKind kind, int64_t ranks, int64_t bytes, double seconds);

struct LinkFit {
  double latency_s = 0, bytes_per_s = 0;
  double residual = 0;  // median of |measured / fitted - 1|
};

// steps * latency + moved / bandwidth of the samples, least squares of the relative error, samples
// that stand far out counted less (Huber's weights). Neither number is negative. At least two
// samples of positive bytes and seconds.
LinkFit fit_link(const std::vector<TransferSample>& samples);

// Median of measured over fitted seconds, of the samples of a kind; 1 without any.
double factor_beside(const LinkFit& fit, const std::vector<TransferSample>& samples,
                     CollectiveKind kind);

}  // namespace argosy
