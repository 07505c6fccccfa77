#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Checks who includes whom, and a few rules that a compiler does not know.

Prints "file:line: what is wrong" for each violation; exit code 1 if there is one.
"""

import pathlib
import re
import subprocess
import sys

# A room is the longest of these paths that a file's path begins with. The rooms whose headers it may include follow it;
# its own are allowed always. tests may include everything.
ALLOWED = {
    "planner/spec": [],
    "planner/report": ["planner/spec"],
    "planner/cost": ["planner/spec", "planner/report"],
    "planner/exchange": ["planner/spec"],
    "planner/questions": ["planner/spec", "planner/report", "planner/cost"],
    "planner/calibrate": ["planner/spec", "planner/report", "planner/cost", "planner/questions"],
    "planner/serve": ["planner/spec", "planner/report", "planner/cost", "planner/questions"],
    "planner/score": ["planner/spec", "planner/report", "planner/cost"],
    "planner": ["planner/spec", "planner/report", "planner/cost", "planner/score", "planner/serve", "planner/questions",
                "planner/exchange", "planner/calibrate"],
    "comm": ["planner/spec"],
    "checkpoint": ["planner/spec", "comm"],
    "launch": ["planner/spec"],
    "trainer/device": ["planner/spec", "comm", "trainer/tensor.h"],
    "trainer/tensor.h": ["planner/spec", "trainer/device"],
    "trainer/ops": ["planner/spec", "trainer/device", "trainer/tensor.h"],
    "trainer/tokenizer": ["planner/spec"],
    "trainer/chat": ["planner/spec", "trainer/tokenizer"],
    "trainer/data": ["planner/spec", "trainer/tokenizer", "trainer/chat"],
    "trainer/optimizer": ["planner/spec"],
    "trainer/run": ["planner/spec", "planner/report"],
    "trainer/layers": ["planner/spec", "comm", "trainer/device", "trainer/tensor.h", "trainer/ops"],
    "trainer/parallel": ["planner/spec", "comm", "checkpoint", "trainer/device", "trainer/tensor.h", "trainer/ops",
                         "trainer/layers", "trainer/data", "trainer/optimizer"],
    "trainer/measure": ["planner/spec", "comm", "trainer/device", "trainer/tensor.h", "trainer/ops"],
    "trainer": ["planner/spec", "planner/report", "comm", "checkpoint", "trainer/device", "trainer/tensor.h",
                "trainer/ops", "trainer/tokenizer", "trainer/chat", "trainer/data", "trainer/optimizer", "trainer/run", "trainer/layers",
                "trainer/parallel", "trainer/measure"],
}

# Text that only some files may contain: (pattern, prefixes of the paths that may, reason).
RESERVED = [
    (r"#include <mpi\.h>", ["comm/mpi/", "tests/"], "MPI is hidden behind comm/mpi"),
    (r"\bMPI_COMM_WORLD\b", ["comm/mpi/", "tests/support/mpi_main.cpp", "tests/bench/"], "ranks may be threads: use the Communicator"),
    (r"#include <H5", ["checkpoint/", "tests/checkpoint/"], "HDF5 is hidden behind checkpoint"),
    (r"\.data<", ["trainer/ops/", "trainer/device/", "trainer/tensor.h", "tests/"],
     "memory of a device is not the host's: ops compute with it, host_copy.h looks into it"),
    (r"#include <(cuda|cublas|cudnn|nccl)", ["trainer/ops/", "trainer/device/", "comm/nccl/", "tests/"],
     "NVIDIA's libraries are hidden behind trainer/device, trainer/ops and comm/nccl"),
    (r"#include [<\"](dnnl|oneapi)", ["trainer/ops/", "tests/"], "oneDNN is hidden behind trainer/ops"),
]
JSON_HEADER = "planner/spec/json.h"  # the one header that includes the JSON library
LICENSE_LINE = "SPDX-License-Identifier: Apache-2.0"
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def room_of(path):
    """The longest key of ALLOWED that `path` lies under, or None."""
    rooms = [room for room in ALLOWED if path == room or path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def check_include(path, included, root):
    """What is wrong with `path` including `included`, or None."""
    if not (root / included).is_file():
        return f'"{included}" is not a path from the repository root'
    if path.startswith("tests/"):
        return None
    if included.startswith("tests/"):
        return "programs do not include tests"
    room, other = room_of(path), room_of(included)
    if room is None or other is None:
        return f"{path if room is None else included} is in no known room"
    if other != room and other not in ALLOWED[room]:
        return f"{room} must not include {other}; it may include {', '.join(ALLOWED[room]) or 'nothing'}"
    return None


def check_first_include(path, lines, root):
    """What is wrong with the first include of a source that has a header of its own, or None."""
    header = str(pathlib.PurePosixPath(path).with_suffix(".h"))
    if not path.endswith((".cpp", ".cu")) or not (root / header).is_file():
        return None
    first = next((line for line in lines if line.startswith("#include")), "")
    if first == f'#include "{header}"':
        return None
    return f'its first include is "{header}": so that header is known to compile alone'


def check_file(path, root):
    text = (root / path).read_text(encoding="utf-8")
    lines = text.split("\n")
    problem = check_first_include(path, lines, root)
    if problem:
        yield 1, problem
    if not any(LICENSE_LINE in line for line in lines[:2]):
        yield 1, f"the first lines lack '{LICENSE_LINE}'"
    if path.endswith((".h", ".cuh")) and "#pragma once" not in text:
        yield 1, "a header begins with #pragma once"
    for number, line in enumerate(lines, 1):
        if not line.isascii():
            yield number, "C++ text is ASCII"
        match = INCLUDE.match(line)
        problem = match and check_include(path, match.group(1), root)
        if problem:
            yield number, problem
        if path.endswith(".h") and "#include <nlohmann/json.hpp>" in line and path != JSON_HEADER:
            yield number, "the JSON library is slow to compile: include it in .cpp files only"
        for pattern, prefixes, reason in RESERVED:
            code = line.split("//")[0]
            if re.search(pattern, code) and not any(path.startswith(prefix) for prefix in prefixes):
                yield number, reason


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    tracked = subprocess.run(["git", "-C", root, "ls-files", "*.h", "*.cpp", "*.cu", "*.cuh"], check=True, capture_output=True,
                             text=True).stdout.split()
    files = [path for path in tracked if (root / path).is_file()]
    problems = [f"{path}:{line}: {what}" for path in files for line, what in check_file(path, root)]
    print("\n".join(problems + [f"check_includes: {len(files)} files, {len(problems)} problems"]))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
