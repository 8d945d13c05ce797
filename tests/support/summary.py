#!/usr/bin/env python3
"""Adds up what every stage of scripts/test reported and prints one line:
`N passed, N failed, N skipped`. Exit code 1 when anything failed.

usage: summary.py RESULTS_DIRECTORY STAGE:EXIT_CODE[:REPORT,REPORT...] ...

A stage counts by the JUnit reports it promised. One that promised none counts as one test by its
exit code. A promised report that is absent, unreadable or empty, and a stage that failed though its
reports show nothing, count as a failure: what did not run has not passed, and what was skipped is
named with its reason.

Beside REPORT.xml may lie REPORT-again.xml: its failed tests run once more, alone. One that passes
there is a matter of the machine's load: it counts as passed and is named, and more than AGAIN_MAX
of them in one report are no accident any more."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

NAMED_MAX = 20  # skipped tests of one report; behind them only their number is printed
AGAIN_MAX = 5
UNFORGIVABLE = re.compile(r"Sanitizer|runtime error:|exit code|did not end|violations")
MESSAGE_MAX = 12  # lines of a failure's text


def cases_in(report):
    try:
        return list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def name_of(case):
    return f"{case.get('classname', '')}: {case.get('name')}".strip(": ")


def has_failed(case):
    return {child.tag for child in case} & {"failure", "error"} or case.get("status") == "fail"


def may_be_forgiven(case):
    """Not what was found at the end of a program that several tests share: the one that did it may
    be another. And no report of a sanitizer, however rare the race it found."""
    text = " ".join((child.text or "") + (child.get("message") or "") for child in case)
    return case.find("error") is None and not UNFORGIVABLE.search(text)


def passed_again(report):
    """The names of tests that passed when they ran once more, if those are few enough."""
    again = report.with_name(report.stem + "-again.xml")
    names = {name_of(case) for case in cases_in(again) if case.find("skipped") is None}
    names -= {name_of(case) for case in cases_in(again) if has_failed(case)}
    failed = [case for case in cases_in(report) if has_failed(case)]
    forgiven = {name_of(case) for case in failed if may_be_forgiven(case)}
    return names & forgiven if len(failed) <= AGAIN_MAX else set()


def count(report):
    """(passed, failed, skipped) of a JUnit file, or None when it says nothing."""
    cases = cases_in(report)
    again = passed_again(report)
    passed = failed = skipped = 0
    for case in cases:
        if has_failed(case) and name_of(case) not in again:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
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


def remarks_on(report):
    """What failed and with which last words, what passed only alone, and what was skipped why."""
    failures, skipped = [], []
    again = passed_again(report)
    for case in cases_in(report):
        name = name_of(case)
        found = case.find("skipped")
        if has_failed(case):
            failures.append(("passed only when run again, alone: " if name in again else
                             "FAILED: ") + name)
            texts = [c for c in case if c.tag in ("failure", "error", "system-out")]
            lines = "\n".join((c.text or c.get("message") or "") for c in texts).splitlines()
            failures += ["    | " + line[:200] for line in lines[-MESSAGE_MAX:]]
        elif found is not None:
            reason = found.get("message") or "no reason given"
            skipped.append(f"skipped: {name}: {reason}".splitlines()[0])
    more = len(skipped) - NAMED_MAX
    return failures + skipped[:NAMED_MAX] + ([f"skipped: and {more} more"] if more > 0 else [])


def main():
    directory = Path(sys.argv[1])
    total = [0, 0, 0]
    for argument in sys.argv[2:]:
        name, code, *rest = argument.split(":")
        reports = [r for r in (rest[0] if rest else "").split(",") if r]
        counted = count_stage(directory, name, int(code), reports)
        print("  %-8s passed %5d, failed %3d, skipped %3d" % (name, *counted))
        for report in reports:
            for line in remarks_on(directory / name / report):
                print(f"    {line}")
        total = [a + b for a, b in zip(total, counted)]
    if len(sys.argv) < 3:
        print("no stage ran")
        total[1] += 1
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
