// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What an event of a Timeline is, from its name: colours of figures and categories of traces.
#pragma once

#include <string_view>

namespace argosy {

enum class EventKind { forward, backward, transfer, wait, reduce, collective, optimizer, other };
inline constexpr int kNumEventKinds = 8;

// "0F3" forward, "0B3" backward, "0SEND_F3" transfer, "wait ..." wait, "reduce", "optimizer",
// "all_reduce tp" collective: the kind of the call and its axis.
EventKind event_kind(std::string_view name);
std::string_view to_string(EventKind kind);

}  // namespace argosy
