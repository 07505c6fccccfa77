# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# Debian 12 packages that Argosy needs, in one place: sourced by launch/demo.sh, tests/run.sh and .ci/run.

build_packages=(
  g++ cmake ninja-build
  openmpi-bin libopenmpi-dev     # ranks
  libdnnl-dev                    # matrix products on CPUs
  libhdf5-dev                    # checkpoints
  libboost-program-options-dev   # command lines
  nlohmann-json3-dev             # plans, configurations
  libpcre2-dev libutf8proc-dev   # tokenizers: Unicode's regular expressions and normal forms
  libgtest-dev                   # tests
)
# CUDA is no package of Debian: NVIDIA's toolkit 12.4 or newer with nvcc, cuBLASLt, cuDNN 9 and NCCL, in /usr/local/cuda or
# with nvcc on the PATH (packages cuda-toolkit-13-0, cudnn9-cuda-13 and libnccl-dev of NVIDIA). Only the cuda preset needs it.
find_nvcc() {
  command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || {
    echo "no nvcc on the PATH or in /usr/local/cuda/bin: install NVIDIA's CUDA toolkit (launch/packages.sh says how)" >&2
    return 1
  }
}

# Fused attention needs the headers of cuDNN's frontend, which are part of a Python package alone. They are unpacked into the
# user's cache, where CMake looks; nothing is installed. A pinned version: another machine builds the same.
cudnn_frontend_version=1.32.0
cudnn_frontend_dir=${XDG_CACHE_HOME:-$HOME/.cache}/argosy/cudnn_frontend-$cudnn_frontend_version

# ensure_cudnn_frontend INSTALL: has the headers if INSTALL is yes, else says how.
ensure_cudnn_frontend() {
  local package=nvidia-cudnn-frontend==$cudnn_frontend_version download
  [[ -e $cudnn_frontend_dir/include/cudnn_frontend.h ]] && return 0
  if [[ $1 != yes ]]; then
    echo "Missing: the headers of Python's $package in $cudnn_frontend_dir/include" >&2
    return 1
  fi
  download=$(mktemp -d)
  mkdir -p "$cudnn_frontend_dir"
  # Any wheel of it has the headers, whatever Python is here.
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 \
    --platform manylinux_2_28_x86_64 --dest "$download" "$package" &&
    python3 -m zipfile -e "$download"/*.whl "$download/wheel" &&
    cp -r "$download/wheel/include" "$cudnn_frontend_dir/"
  local code=$?
  rm -rf "$download"
  return $code
}

# ccache: the CUDA build compiles most of its C++ as the release build did. chromium: the test that clicks a report;
# python3-yaml: the one that reads a manifest
check_packages=(clang-format-14 clang-tidy-14 python3 python3-yaml git ccache chromium)

# Prints those of its arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# apt-get as root, without questions.
apt_get() {
  local as_root=()
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null
}

# ensure_packages INSTALL PACKAGE...: installs what is missing if INSTALL is yes, else names it and fails.
ensure_packages() {
  local install=$1 missing
  shift
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return 0
  if [[ $install != yes ]]; then
    echo "Missing packages: ${missing[*]}" >&2
    echo "Install them with: apt-get install --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "Installing ${missing[*]}"
  apt_get update
  apt_get install --no-install-recommends "${missing[@]}"
}

# Compilers at once: as many as there are processors, each with 2 GiB of memory.
build_jobs() {
  local memory_jobs
  memory_jobs=$(($(awk '/^MemAvailable:/ {print $2}' /proc/meminfo) / (2 * 1024 * 1024)))
  local jobs=$(($(nproc) < memory_jobs ? $(nproc) : memory_jobs))
  echo $((jobs > 1 ? jobs : 1))
}
