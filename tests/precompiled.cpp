// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Nothing: the target precompiled_tests needs a source beside its headers.
