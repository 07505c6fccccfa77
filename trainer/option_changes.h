// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a resumed run does otherwise than it began, by the options of both.
#pragma once

#include <string>
#include <string_view>

namespace argosy {

// "lr 0.003 -> 0.0003, lr-schedule wsd -> constant": options that change what steps compute, of two
// texts of run.cfg; one that is not set is "unset". Empty where there is no difference. Where
// samples come from, how often something is saved and what is an error when it changes are not
// among them. Throws ConfigError for a text that is no run.cfg.
std::string changed_options(std::string_view before, std::string_view now);

}  // namespace argosy
