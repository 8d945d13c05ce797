#!/usr/bin/env python3
"""Adds up what every stage of scripts/test reported and prints one line:
`N passed, N failed, N skipped`. Exit code 1 when anything failed.

usage: summary.py RESULTS_DIRECTORY STAGE:EXIT_CODE[:REPORT,REPORT...] ...

A stage counts by the JUnit reports it promised. One that promised none counts as one test by its
exit code. A promised report that is absent, unreadable or empty, and a stage that failed though its
reports show nothing, count as a failure: what did not run has not passed, and what was skipped is
named with its reason."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

NAMED_MAX = 20  # skipped tests of one report; behind them only their number is printed


def cases_in(report):
    try:
        return list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def count(report):
    """(passed, failed, skipped) of a JUnit file, or None when it says nothing."""
    cases = cases_in(report)
    passed = failed = skipped = 0
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"} or case.get("status") == "fail":
            failed += 1
        elif "skipped" in kinds or case.get("status") in ("disabled", "notrun"):
            skipped += 1
        else:
            passed += 1
    return (passed, failed, skipped) if cases else None


def count_stage(directory, name, code, reports):
    if not reports:
        return (1, 0, 0) if code == 0 else (0, 1, 0)
    total = [0, 0, 0]
    for report in reports:
        counted = count(directory / name / report)
        if counted is None:
            print(f"{name}: no result in {report}")
            counted = (0, 1, 0)
        total = [a + b for a, b in zip(total, counted)]
    if code != 0 and total[1] == 0:
        print(f"{name}: ended with exit code {code}")
        total[1] += 1
    return tuple(total)


def skipped_in(report):
    """A line for each skipped test: its name and why."""
    lines = []
    for case in cases_in(report):
        found = case.find("skipped")
        if found is not None:
            name = f"{case.get('classname', '')}: {case.get('name')}".strip(": ")
            lines.append(f"{name}: {found.get('message') or 'no reason given'}".splitlines()[0])
    more = len(lines) - NAMED_MAX
    return lines[:NAMED_MAX] + ([f"and {more} more"] if more > 0 else [])


def main():
    directory = Path(sys.argv[1])
    total = [0, 0, 0]
    for argument in sys.argv[2:]:
        name, code, *rest = argument.split(":")
        reports = [r for r in (rest[0] if rest else "").split(",") if r]
        counted = count_stage(directory, name, int(code), reports)
        print("  %-8s passed %5d, failed %3d, skipped %3d" % (name, *counted))
        for line in (line for report in reports for line in skipped_in(directory / name / report)):
            print(f"    skipped: {line}")
        total = [a + b for a, b in zip(total, counted)]
    if len(sys.argv) < 3:
        print("no stage ran")
        total[1] += 1
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
