#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Checks that what the documents (*.md) name is there: files, links, build targets, options.

What is looked at is code, between backticks or in blocks, and the targets of links:

* A link leads to a file or folder, seen from the document's folder, and its #anchor to a heading there.
* A path that begins with a folder of the repository's or of the document's (planner/..., cost/...) is a file or folder. {a,b} and *
  stand for several, of which each, or one, must be there; a file's ending may be left out (cost/settle).
* Another name of a file (norm.h, ops/norm.h) is the end of a file's path, or a name that sources know: plan.json is written by a
  program. What the reader chooses has capitals (OUT.json, NAME.h), or is a name without a folder behind a program (--out a.json);
  what git ignores (build/, runs/) is made by programs.
* What follows --target, and programs in build/bin and build/tests, are targets of a CMakeLists.txt.
* An option behind one of our programs (argosy-plan --model) is one of that program; any other (--rotary-percent, of another
  program) occurs in a source.

CHANGELOG.md is left out: it tells of what was. Prints "file:line: what is wrong" for each problem; exit code 1 if there is one.
"""

import fnmatch
import itertools
import pathlib
import posixpath
import re
import subprocess
import sys

LEFT_OUT = {"CHANGELOG.md"}
OF_OTHERS = {"fused_attn/utils.cu", "cublas_api.h", "--cuda-graph-trace"}  # TransformerEngine's, CUDA's, nsys'
# Where the options of our programs are, and how they look there.
ADDED = r'\badd\(\s*"([a-z][a-z0-9-]*)'
PROGRAMS = {
    "argosy-plan": ("planner/options.cpp", ADDED + r'|add_options\(\)\("([a-z]+)"'),
    "argosy-train": ("trainer/option_list.cpp", ADDED),
    "argosy-launch": ("launch/options.cpp", ADDED),
    "argosy-checkpoint": ("checkpoint/main.cpp", ADDED),
    "argosy-fit-stacks": ("planner/score/fit_main.cpp", r"--([a-z][a-z0-9-]*)"),
}
ENDINGS = "h|cpp|cu|cuh|py|sh|json|jsonl|md|csv|cfg|txt|jinja|toml|html"
NAME_BEGINS = r"(?<![\w./~$:<>@%{},*-])"
FILE = rf"[\w./{{}},*-]*[\w}}*]\.(?:{ENDINGS})"
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])")
TARGET = r"(?:add_executable|add_library|add_custom_target|argosy_library|argosy_test|argosy_mpi_test)\(\s*([\w${}-]+)"
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Repository:
    """What documents may name."""

    def __init__(self, root):
        self.root = root
        listed = subprocess.run(["git", "-C", root, "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
        self.files = {path for path in listed if (root / path).is_file()}
        self.folders = {str(folder) for path in self.files for folder in pathlib.PurePosixPath(path).parents}
        self.ignored = set(re.findall(r"^/(\w+)/$", (root / ".gitignore").read_text(encoding="utf-8"), re.MULTILINE))
        parts_of_all = [path.split("/") for path in self.files | self.folders]
        self.ends = {"/".join(parts[i:]) for parts in parts_of_all for i in range(len(parts))}
        self.stems = {end.rsplit(".", 1)[0] for end in self.ends}
        sources = {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in self.files
                   if not path.endswith((".md", ".csv")) and path != "tests/check_documents.py"}
        text = "\n".join(sources.values())
        self.known_files = set(re.findall(rf"[\w-]+\.(?:{ENDINGS})\b", text))
        self.known_options = set(OPTION.findall(text)) | set(re.findall(r'["\']([a-z][a-z0-9-]*)["\']', text))
        builds = [content for path, content in sources.items() if path.endswith("CMakeLists.txt")]
        self.targets = {"all", "test"}.union(*map(targets_of, builds))
        self.options = {program: {match[match.lastindex] for match in re.finditer(pattern, sources[path])}
                        for program, (path, pattern) in PROGRAMS.items()}

    def begins(self, folder):
        """First folders of paths that are seen from the root or from `folder`."""
        beside = {posixpath.basename(path) for path in self.folders if posixpath.dirname(path) == folder}
        return sorted(beside | {path for path in self.folders if "/" not in path and path != "."})

    def has_path(self, path, folder):
        """Whether `path` is a file or folder from the root or from `folder`, or the end of a file's path."""
        path = path.rstrip("/")
        if "*" in path:
            return any(fnmatch.fnmatchcase(end, path) for end in self.ends)
        near = posixpath.normpath(posixpath.join(folder, path))
        is_ignored = path.split("/")[0] in self.ignored
        return is_ignored or near in self.files | self.folders or path in self.ends or path in self.stems


def targets_of(build):
    """Targets of a CMakeLists.txt, those of its loops too."""
    for match in re.finditer(TARGET, build):
        name = match[1]
        variable = re.search(r"\$\{(\w+)\}", name)
        if not variable:
            yield name
            continue
        # Of the last loop before it; a function's parameter has none.
        loops = re.findall(rf"foreach\({variable[1]} ([^)]*)\)", build[:match.start()])
        yield from (name.replace(variable[0], value) for value in (loops[-1].split() if loops else []))


def expanded(name):
    """name{a,b,...}.h -> namea.h, nameb.h"""
    parts = re.split(r"\{([^{}]*)\}", name)
    parts = [[part] if i % 2 == 0 else [one for one in part.split(",") if one != "..."] for i, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*parts)]


def code_of(text):
    """(line number, code) of spans between backticks, of fenced and of indented blocks. A command that goes on behind a backslash
    is one piece."""
    fenced, begun = False, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            start, before = begun or (number, "")
            begun = (start, before + line.rstrip("\\")) if line.endswith("\\") else None
            if not begun:
                yield start, before + line
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_link(target, document, repository):
    if re.match(r"[a-z]+:", target):
        return
    path, _, anchor = target.partition("#")
    linked = (repository.root / document).parent / path if path else repository.root / document
    if not linked.exists():
        yield f"{target} is not there"
    elif anchor and anchor not in map(slug, re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)):
        yield f"{target}: no such heading"


def is_chosen_by_reader(path):
    """NAME.h, OUT/plan.json, step_N: two capitals, or one behind "_"."""
    names = re.split(r"[/.]", path)
    ours = ("README", "NOTES", "CONTRIBUTING", "CHANGELOG", "CMakeLists")
    return any(re.search(r"[A-Z]{2}|_[A-Z]$", name) and name not in ours for name in names)


def check_files(code, document, repository):
    folder = posixpath.dirname(document)
    is_command = any(re.search(rf"{program}\s", code) for program in PROGRAMS)
    tops = "|".join(map(re.escape, repository.begins(folder)))
    paths = re.findall(rf"{NAME_BEGINS}(?:{tops})/[\w./{{}},*-]*[\w}}*/]", code)
    files = re.findall(NAME_BEGINS + FILE + r"(?![\w/-])", code)
    for name in dict.fromkeys(paths + files):
        for path in expanded(name):
            is_known = "/" not in path and (is_command or path in repository.known_files)
            if not (is_known or path in OF_OTHERS or is_chosen_by_reader(path) or repository.has_path(path, folder)):
                yield f"{path} is no file or folder"


def check_targets(code, repository):
    for words in re.findall(r"--target((?: +(?!-)[\w*-]+)+)", code):
        for name in words.split():
            if name not in repository.targets:
                yield f"--target {name}: no CMakeLists.txt has it"
    for name in re.findall(r"build/(?:bin|tests)/([\w-]+)", code):
        if name not in repository.targets:
            yield f"{name}: no CMakeLists.txt has that program"


def check_options(code, repository):
    for part in re.split(r"\||&&|;", code):
        program = None
        for word in part.split():
            name = word.rsplit("/", 1)[-1]
            if name in PROGRAMS:
                program = name
            elif word == "--" and program == "argosy-launch":
                program = "argosy-train"
            for option in OPTION.findall(word) if word.lstrip("[(`'\"").startswith("--") else []:
                if program and option not in repository.options[program]:
                    yield f"{program} has no option --{option}"
                elif option not in repository.known_options and f"--{option}" not in OF_OTHERS:
                    yield f"--{option} occurs in no source"


def check_document(document, repository):
    text = (repository.root / document).read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            for problem in check_link(target, document, repository):
                yield number, problem
    for number, code in code_of(text):
        problems = [*check_files(code, document, repository), *check_targets(code, repository), *check_options(code, repository)]
        yield from ((number, problem) for problem in problems)


def main():
    repository = Repository(pathlib.Path(__file__).resolve().parent.parent)
    documents = sorted(path for path in repository.files if path.endswith(".md") and path not in LEFT_OUT)
    problems = [f"{path}:{number}: {what}" for path in documents for number, what in check_document(path, repository)]
    print("\n".join(problems + [f"check_documents: {len(documents)} documents, {len(problems)} problems"]))
    return 1 if problems or not documents else 0


if __name__ == "__main__":
    sys.exit(main())
