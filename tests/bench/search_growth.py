#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""How the cost of a search grows with the number of devices, as a table in Markdown.

    tests/bench/search_growth.py [--binary build/bin/argosy-plan] [--threads 1] [--repeat 3]

Every decision is open. A cluster of N devices is configs/clusters/{a100-25k,h100-8192}.json with its last tier made
as large. Seconds are argosy-plan's own, the least of the repetitions. Exits with 1 where a run fails.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICES = [8, 64, 512, 1024, 3072, 8192, 24960, 49152, 98304, 100000, 100800]
SEARCHES = [("gpt3-175b", "a100-25k"), ("gpt4-moe", "a100-25k"), ("gpt3-175b", "h100-8192"), ("gpt4-moe", "h100-8192")]


def resized(cluster, devices, folder):
    """The cluster's file with so many devices, written below `folder`."""
    text = (ROOT / "configs/clusters" / f"{cluster}.json").read_text()
    text, num_totals = re.subn(r'("num_devices":\s*)\d+', rf"\g<1>{devices}", text)
    tiers = list(re.finditer(r'"devices":\s*(\d+)', text))
    if num_totals != 1 or not tiers:
        sys.exit(f"{cluster}: no num_devices or no tiers")
    last = tiers[-1]
    text = text[: last.start(1)] + str(max(devices, int(last[1]))) + text[last.end(1) :]
    path = pathlib.Path(folder) / f"{cluster}-{devices}.json"
    path.write_text(text)
    return path


def search(binary, model, cluster, threads):
    command = [binary, "--model", model, "--cluster", cluster, "--threads", str(threads), "--json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode not in (0, 3):  # 3: no plan fits
        sys.exit(f"{' '.join(map(str, command))}: {run.stderr}")
    found = json.loads(run.stdout)
    step = found["plans"][0]["predicted"]["step_s"] if found["plans"] else None
    return found["search"], step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build/bin/argosy-plan"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--devices", type=int, nargs="*", default=DEVICES)
    options = parser.parse_args()
    print("| model | cluster | devices | candidates | fit | simulated | seconds | step |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for model, cluster in SEARCHES:
            for devices in options.devices:
                path = resized(cluster, devices, folder)
                runs = [search(options.binary, model, path, options.threads) for _ in range(options.repeat)]
                found, step = runs[0]
                seconds = min(run["seconds"] for run, _ in runs)
                print(
                    f"| {model} | as {cluster} | {devices:,} | {found['candidates']:,} | {found['feasible']:,} "
                    f"| {found['evaluated']:,} | {seconds:.2f} | {f'{step:.1f} s' if step else 'none fits'} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
