#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# For a machine that has a GPU, CUDA and a compiler, but neither packages nor a network: collects what Argosy needs there in
# a folder to carry along. Nothing is installed, here or there.
#   here:   launch/bundle.sh DIR [--runtime]     Debian packages and the headers of cuDNN's frontend; --runtime: only what
#                                                built programs load, without headers, compilers' files and tests
#   there:  source DIR/activate                  unpacks them beside itself once and sets the paths of this shell
# Made on Debian 12; its libraries run on newer systems.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

dir=${1:?usage: launch/bundle.sh DIR [--runtime]}
kind=${2:-all}
[[ $kind == all || $kind == --runtime ]] || { echo "launch/bundle.sh: '$kind'; valid: --runtime" >&2; exit 2; }

# What build_packages of packages.sh bring, without what every machine with a compiler has.
runtime_packages=(
  openmpi-bin openmpi-common libopenmpi3                        # ranks
  libhwloc15 libevent-core-2.1-7 libevent-pthreads-2.1-7 libpmix2
  libfabric1 libpsm-infinipath1 libpsm2-2 libucx0 libibverbs1 librdmacm1 libnl-3-200 libnl-route-3-200 libmunge2
  libhdf5-103-1 libhdf5-hl-100 libaec0 libsz2
  libboost-program-options1.74.0
  libdnnl2
  libpcre2-8-0 libutf8proc2)
# What the former load and most systems have: taken there only where the system has no library of that name.
fallback_packages=(
  zlib1g libltdl7 libudev1 libnuma1 libgomp1 libatomic1 libuuid1 ocl-icd-libopencl1 libzstd1 libcurl4 libnghttp2-14 libssh2-1
  librtmp1 libpsl5 libldap-2.5-0 libsasl2-2 libbrotli1 libssl3 libidn2-0 libunistring2 libgssapi-krb5-2 libkrb5-3 libk5crypto3
  libkrb5support0 libcom-err2 libkeyutils1 libgnutls30 libhogweed6 libnettle8 libgmp10 libp11-kit0 libtasn1-6 libffi8)
build_only_packages=(
  libopenmpi-dev libhdf5-dev libaec-dev
  libboost1.74-dev libboost-program-options1.74-dev
  nlohmann-json3-dev libgtest-dev libgmock-dev googletest
  libdnnl-dev libpcre2-dev libutf8proc-dev)

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
packages=("${runtime_packages[@]}")
if [[ $kind == all ]]; then
  packages+=("${build_only_packages[@]}")
  ensure_cudnn_frontend yes
  mkdir -p "$dir/cudnn_frontend"
  tar -C "$cudnn_frontend_dir" -cJf "$dir/cudnn_frontend/include.tar.xz" include
fi
missing=()
# collect FOLDER PACKAGE...
collect() {
  local package
  mkdir -p "$dir/$1"
  cd "$dir/$1"
  for package in "${@:2}"; do
    compgen -G "${package}_*.deb" >/dev/null || apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null 2>&1 || missing+=("$package")
  done
}
collect packages "${packages[@]}"
collect fallback "${fallback_packages[@]}"
if ((${#missing[@]} > 0)); then
  echo "launch/bundle.sh: apt-get does not know ${missing[*]}; made for Debian 12" >&2
  exit 1
fi

cat >"$dir/activate" <<'ACTIVATE'
# shellcheck shell=bash
# source this: unpacks what lies beside it, once, and points compilers, CMake and the loader there.
argosy_bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
argosy_root=${ARGOSY_BUNDLE_ROOT:-$argosy_bundle/root}
argosy_libraries=$argosy_root/usr/lib/x86_64-linux-gnu

# unpack DEB TO: dpkg where it is, else Python and tar.
argosy_unpack() {
  if command -v dpkg-deb >/dev/null; then
    dpkg-deb -x "$1" "$2"
    return
  fi
  python3 - "$1" <<'PYTHON' | tar -x --xz -C "$2"
import sys
data = open(sys.argv[1], "rb").read()
at = 8  # behind the magic of ar
while at < len(data):
    name, size = data[at:at + 16].strip(), int(data[at + 48:at + 58])
    if name.startswith(b"data.tar"):
        sys.stdout.buffer.write(data[at + 60:at + 60 + size])
        break
    at += 60 + size + size % 2
PYTHON
}

if [[ ! -e $argosy_root/.done ]]; then
  mkdir -p "$argosy_root" "$argosy_root/fallback"
  for argosy_package in "$argosy_bundle"/packages/*.deb; do argosy_unpack "$argosy_package" "$argosy_root" || return 1; done
  for argosy_package in "$argosy_bundle"/fallback/*.deb; do argosy_unpack "$argosy_package" "$argosy_root/fallback" || return 1; done
  argosy_known=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p)
  while read -r argosy_library; do
    [[ $argosy_known == *"$(basename "$argosy_library") "* ]] || cp -P "$argosy_library"* "$argosy_libraries/"
  done < <(find "$argosy_root/fallback" -name 'lib*.so.[0-9]' -o -name 'lib*.so.[0-9][0-9]')
  rm -rf "$argosy_root/fallback"
  # Debian's alternatives, which nobody set here.
  for argosy_program in mpirun mpiexec; do ln -sf orterun "$argosy_root/usr/bin/$argosy_program"; done
  for argosy_program in mpicc mpicxx; do [[ -e $argosy_root/usr/bin/opal_wrapper ]] && ln -sf opal_wrapper "$argosy_root/usr/bin/$argosy_program"; done
  ln -sfn x86_64-linux-gnu/openmpi/include "$argosy_root/usr/lib/openmpi-include"
  # Development links and CMake's files name /usr: absolute links become relative to the root.
  while read -r argosy_link; do
    argosy_to=$(readlink "$argosy_link")
    [[ $argosy_to == /* && -e $argosy_root$argosy_to ]] && ln -sfn "$argosy_root$argosy_to" "$argosy_link"
  done < <(find "$argosy_root" -type l)
  [[ -e $argosy_bundle/cudnn_frontend/include.tar.xz ]] && tar -C "$argosy_root" -xJf "$argosy_bundle/cudnn_frontend/include.tar.xz" --transform 's|^include|cudnn_frontend|'
  touch "$argosy_root/.done"
fi
export OPAL_PREFIX=$argosy_root/usr OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Open MPI finds its own plugins by OPAL_PREFIX and the folder below the libraries' one, PMIx by its own variable.
export OMPI_MCA_mca_base_component_path=$argosy_libraries/openmpi/lib/openmpi3 PMIX_INSTALL_PREFIX=$argosy_libraries/pmix2
export PATH=$argosy_root/usr/bin:$PATH
export LD_LIBRARY_PATH=$argosy_libraries:$argosy_libraries/openmpi/lib:$argosy_libraries/hdf5/serial:$argosy_libraries/pmix2/lib:$argosy_root/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export CMAKE_PREFIX_PATH=$argosy_root/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
export CPATH=$argosy_root/usr/include:$argosy_root/usr/include/x86_64-linux-gnu:$argosy_libraries/openmpi/include:$argosy_root/usr/include/hdf5/serial${CPATH:+:$CPATH}
export LIBRARY_PATH=$argosy_libraries:$argosy_libraries/openmpi/lib:$argosy_libraries/hdf5/serial${LIBRARY_PATH:+:$LIBRARY_PATH}
[[ -d $argosy_root/cudnn_frontend ]] && export CUDNN_FRONTEND_INCLUDE_DIR=$argosy_root/cudnn_frontend
# NVIDIA's libraries: the toolkit's, which the loader need not know, and those that come as Python packages.
for argosy_folder in /usr/local/cuda/lib64 /usr/local/cuda/lib; do
  [[ -d $argosy_folder ]] && export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$argosy_folder LIBRARY_PATH=$LIBRARY_PATH:$argosy_folder
done
argosy_python=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
for argosy_folder in "$argosy_python"/nvidia/*/; do
  [[ -d $argosy_folder/lib ]] || continue
  export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:${argosy_folder}lib LIBRARY_PATH=$LIBRARY_PATH:${argosy_folder}lib
  [[ -d $argosy_folder/include ]] && export CPATH=$CPATH:${argosy_folder}include
done
ACTIVATE
du -sm "$dir" | awk '{print "launch/bundle.sh: " $1 " MB in " $2}'
