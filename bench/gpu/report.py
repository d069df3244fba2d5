"""Puts one run of scripts/gpu-check into one JSON file: python bench/gpu/report.py RESULT CHECKS BENCH TESTS COMMIT CHANGED

CHECKS: sconce_gpu_check's lines; BENCH: sconce_gpu_bench's; TESTS: "passed", "failed" or why the native tests were skipped.
Prints what was skipped and what failed. Exit 1 when something failed.
"""

import datetime
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

GPU_FIELDS = ("name", "driver_version", "memory.total", "compute_cap", "pcie.link.gen.max", "pcie.link.width.max", "mig.mode.current")


def said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def torch_versions() -> dict[str, str | None]:
    """Of torch's version.py, without the seconds that importing it takes."""
    spec = importlib.util.find_spec("torch")
    text = (Path(spec.origin).parent / "version.py").read_text() if spec and spec.origin else ""
    found = {key: re.search(rf"^{name}\b.*= '(.*)'", text, re.M) for key, name in (("torch", "__version__"), ("cuda", "cuda"))}
    return {key: match[1] if match else None for key, match in found.items()}


def machine() -> dict[str, object]:
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    rows = said("nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader").splitlines()
    return {
        "cpu": cpu[1] if cpu else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "gpus": [dict(zip(GPU_FIELDS, (cell.strip() for cell in row.split(",")))) for row in rows],
        "compiler": said("c++", "--version").split("\n")[0],
        "nvcc": said("nvcc", "--version").split("\n")[-1],
        **torch_versions(),
    }


def checks(path: Path) -> list[dict[str, str]]:
    found = []
    for line in path.read_text().splitlines():
        match = re.match(r"(passed|failed|skipped) ([^:]+)(?:: (.*))?$", line)
        if match:
            found.append({"name": match[2], "outcome": match[1]} | ({"why": match[3]} if match[3] else {}))
    return found


def main() -> int:
    result, check_log, bench_log, tests, commit, changed = sys.argv[1:7]
    lines = [json.loads(line) for line in Path(bench_log).read_text().splitlines() if line.startswith("{")]
    report = {
        "name": "gpu",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "changed": changed == "yes",
        "machine": machine(),
        "native_tests": tests,
        "checks": checks(Path(check_log)),
        "device": next((line for line in lines if "architecture" in line), None),
        "copies_gb_per_s": next((line for line in lines if "copy_bytes" in line), None),
        "samples_per_s": [line for line in lines if "model" in line],
    }
    Path(result).write_text(json.dumps(report, indent=2) + "\n")
    failed = [each["name"] for each in report["checks"] if each["outcome"] == "failed"]
    skipped = [each["name"] for each in report["checks"] if each["outcome"] == "skipped"]
    if tests == "failed":
        failed.append("native tests")
    elif tests != "passed":
        skipped.append(f"native tests ({tests})")
    if not report["checks"]:
        failed.append("sconce_gpu_check ran no check")
    if not report["samples_per_s"]:
        reason = next((line["skipped"] for line in lines if "skipped" in line), None)
        (failed if reason is None else skipped).append("bench" if reason is None else f"bench ({reason})")
    for name in skipped:
        print(f"SKIPPED {name}")
    for name in failed:
        print(f"FAILED  {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
