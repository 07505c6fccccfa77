// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What --import or --import-megatron gives, before anything is decided.
#pragma once

#include <string>

#include "planner/exchange/import.h"
#include "planner/exchange/launch.h"
#include "planner/options.h"

namespace argosy {

// The setup as given, and what messages call it.
struct ImportSetup {
  std::string option, text, where;
  PeerFormat format = PeerFormat::megatron;
  PeerLaunch launch;  // of a script; files of settings say nothing of it
};

// Throws ConfigError if there is no such file, its text is of no format, or is a script that cannot
// be followed.
ImportSetup read_import_setup(const PlanOptions& options);

// The message of a mistake in what the setup decided: with its file and its own words instead of
// the options that it stands for, which nobody typed.
std::string in_words_of(const ImportSetup& setup, const PlanOptions& given,
                        const std::string& message);

}  // namespace argosy
