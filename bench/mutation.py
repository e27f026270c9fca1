"""How much of the engine the tests hold: it is changed in one place at a time, and the tests must fail.

Run it with `make mutation`; `.venv/bin/mutmut show NAME` then shows a change that no test noticed. What is changed and which tests
run stands in pyproject.toml under `tool.mutmut`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

MUTMUT = str(Path(sys.executable).with_name("mutmut"))
NOTICED = ("killed", "timeout")


def main() -> None:
    # Answers of an earlier run are kept where the engine did not change, also when the tests did.
    shutil.rmtree("mutants", ignore_errors=True)
    subprocess.run([MUTMUT, "run", "--max-children", sys.argv[1]], check=True)  # noqa: S603
    listing = [MUTMUT, "results", "--all", "true"]
    told = subprocess.run(listing, check=True, capture_output=True, text=True).stdout  # noqa: S603
    answers = dict(line.strip().split(": ", 1) for line in told.splitlines() if ": " in line)
    print("\n".join(f"{status}: {name}" for name, status in answers.items() if status not in NOTICED))
    by_module: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, status in answers.items():
        by_module[name.rpartition(".")[0]][status] += 1
    for module, counts in by_module.items():
        print(scored(module, counts))
    print(scored("all", sum(by_module.values(), Counter[str]())))


def scored(module: str, counts: Counter[str]) -> str:
    noticed, total = sum(counts[status] for status in NOTICED), counts.total()
    rest = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return f"{module:<24} {noticed:>5} of {total:>5} noticed: {noticed / total:6.1%}  ({rest})"


if __name__ == "__main__":
    main()
