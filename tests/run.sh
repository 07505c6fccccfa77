#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# Installs what is missing, makes the release build in build/ and runs its tests.
#   tests/run.sh [--no-install] [arguments of ctest]      for example: tests/run.sh -L mpi
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

install=yes
if [[ ${1-} == --no-install ]]; then
  install=no
  shift
fi
ensure_packages "$install" "${build_packages[@]}"

cmake --preset release
cmake --build --preset release --parallel "$(build_jobs)"

# Open MPI wants to be told that root is intended.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
log=build/test.log
code=0
start=$SECONDS
ctest --test-dir build --output-on-failure --no-tests=error --parallel "$(nproc)" "$@" | tee "$log" || code=$?
result=$(grep -E 'tests passed,' "$log" || echo "no tests ran")
echo "tests/run.sh: $result, $((SECONDS - start)) s"
exit "$code"
