#!/usr/bin/env python3
"""House rules that a compiler does not check: who may include whom, where third-party libraries
stay, sizes, and what may stand beside co_await (docs/coroutines.md says why). Prints FILE:LINE:
message for each finding and ends with `N passed, N failed`; a test is one file, or one rule shown
to notice its own bad example.

usage: tidy.py [--junit FILE]"""

import re
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parents[2]
LINE_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# --- layers: a module includes itself and modules of a lower level. A module is a folder, or the
# .h and .cc of one name, or what SAME joins; tests may include anything.
LEVELS = {
    "proxy/free_list": 0,
    "config/": 0, "auth/": 0, "examples/": 0, "bench/": 0,
    "proxy/http/": 1, "proxy/net/": 1,
    "proxy/metrics": 1, "proxy/route_metrics": 2, "proxy/trace": 2,
    "proxy/telemetry": 2, "proxy/header_policy": 2, "proxy/route_table": 2, "proxy/hash_pool": 2,
    "proxy/upstream": 2, "proxy/body": 2, "proxy/machine": 2, "proxy/reply": 2,
    "proxy/failure": 2, "proxy/slab": 2,
    "proxy/fetch": 3, "proxy/trace_export": 4, "proxy/store/": 3,
    "proxy/pages": 2, "proxy/redirects": 2,
    "proxy/redis/": 2,
    "proxy/store_options": 3,
    "proxy/runtime": 4, "proxy/stores": 5, "proxy/webhook": 6,
    "proxy/client": 5, "proxy/endpoints/": 5,
    "proxy/question": 6, "proxy/decide": 6, "proxy/renewals": 6, "proxy/local_runtime": 6,
    "proxy/under_way": 8, "proxy/record": 9, "proxy/listener": 2, "proxy/listener_tls": 2,
    "proxy/worker_state": 7,
    "proxy/upstream_request": 8, "proxy/route_answers": 8, "proxy/health": 8,
    "proxy/forward_auth": 8,
    "proxy/upstream_watch": 8, "proxy/session_watch": 8,
    "proxy/forward": 9,
    "proxy/exchange": 10,
    "proxy/worker": 11,
    "proxy/server": 12,
    "proxy/cli": 13, "proxy/cli_commands": 14, "proxy/rehearsal": 14,
    "proxy/replay": 15, "proxy/sessions_command": 15, "proxy/doctor": 15, "proxy/main": 16,
}
# These stand alone: they include nothing of ours but themselves.
# An exchange and its connection live in a worker's state, which knows them.
SAME = {"proxy/address_sanitizer": "proxy/free_list",
        "proxy/log_line": "proxy/telemetry", "proxy/event_metrics": "proxy/telemetry",
        "proxy/access_line": "proxy/telemetry",
        "proxy/cors": "proxy/route_table", "proxy/rate_limit": "proxy/route_table",
        "proxy/user_service": "proxy/fetch",
        "proxy/tunnel": "proxy/forward", "proxy/attempt": "proxy/forward",
        "proxy/attempt_connection": "proxy/forward",
        "proxy/page_texts": "proxy/pages",
        "proxy/exchange_state": "proxy/worker_state", "proxy/server_metrics": "proxy/server",
        "proxy/server_watch": "proxy/server",
        "proxy/trailers": "proxy/header_policy", "proxy/worker_room": "proxy/worker",
        "proxy/doctor_store": "proxy/doctor",
        "proxy/connection": "proxy/worker_state",
        "proxy/connection_opening": "proxy/worker_state", "proxy/listeners": "proxy/server",
        "proxy/key_sets": "proxy/server"}
# Of use to all that hold memory back for later.
MEMORY = ("proxy/free_list",)
ALONE = ("config/", "auth/", "examples/", "bench/", "proxy/http/", "proxy/net/")

# --- third parties: which files may include what.
CONFINED = {
    r"yaml-cpp/": r"config/yaml\.cc",
    r"llhttp": r"tests/proxy/http/llhttp_oracle\.cc",
    r"openssl/(?!ssl\.h)":
        r"auth/(bytes|memory|keys|key_material|jwk|pem|pem_facts|jws|password|family)\.(cc|h)|"
        r"proxy/net/tls.*",
    r"openssl/ssl\.h": r"proxy/net/tls.*",
    r"hiredis/": r"proxy/redis/resp\.cc",
    r"prometheus/": r"proxy/metrics\.cc",
    r"argon2\.h|crypt\.h": r"auth/password\.cc",
    r"boost/json": r"auth/json\.cc|config/schema\.cc|"
                   r"proxy/(endpoints/.*|rehearsal\.cc|replay\.cc|trace_export\.cc)",
    r"CLI/": r"proxy/cli.*\.cc|proxy/main\.cc",
    r"boost/(asio|beast)|boost/asio\.hpp": r"proxy/(?!http/).*|examples/.*",
    # Asio's reactor is not used: it would be a second epoll beside net/poller.
    r"boost/asio/(posix/|local/|generic/|ip/|basic_|signal_set|steady_timer|post\.hpp)":
        r"proxy/net/(stream|poller)\.cc|examples/.*|tests/.*",
    r"sys/epoll\.h": r"proxy/net/.*|bench/.*",
    r"sys/socket\.h|netinet/|sys/un\.h":
        r"proxy/(net/.*|worker.*|server.*|connection.*|listeners\.cc)|bench/.*",
}

BANNED = [
    (r"\b(TODO|FIXME|XXX)\b", "unfinished work is not committed", r".*"),
    (r"\bs?rand\s*\(|\bmt19937|\brandom_device\b|\bdrand48\b",
     "secrets come from the system's generator, and so does everything else",
     r"(?!tests/).*\.(cc|h)"),
    (r"\bsleep_for\b|\busleep\s*\(", "tests and loops wait for events, not for time",
     r"(?!examples/|proxy/net/until_memory).*\.(cc|h)"),
    (r"#include <regex", "no input meets a regular expression (L09)", r"(?!tests/).*\.(cc|h)"),
]

# --- docs/proof.md: each test that it names must exist, and each row of the list is there.
PROOF = "docs/proof.md"
PROOF_ROWS = {"A": 13, "B": 12, "C": 5, "D": 28, "E": 8, "F": 7, "G": 21, "H": 19, "I": 11,
              "J": 5, "K": 7, "L": 11}


def code_only(text):
    """The text with comments, strings and character literals blanked; lines keep their places."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r'R"(\w*)\((?:.|\n)*?\)\1"', blank, text)
    string = r'"(?:\\.|[^"\\\n])*"'
    character = r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    return re.sub(rf"//[^\n]*|/\*(?:.|\n)*?\*/|{string}|{character}", blank, text)


def module_of(path):
    stem = re.sub(r"\.(cc|h)$", "", path)
    folder = path[:path.rindex("/") + 1] if "/" in path else ""
    found = SAME.get(stem, stem)
    return found if found in LEVELS else next(
        (f for f in LEVELS if f.endswith("/") and folder.startswith(f)), None)


def check_layers(path, text):
    if path.startswith("tests/") or not path.endswith((".cc", ".h")):
        return
    own = module_of(path)
    if own is None:
        yield 1, "no level is known for this file; add it to LEVELS in tests/tidy/tidy.py"
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'#include "([^"]+)"', line)
        if not found:
            continue
        other = module_of(found.group(1))
        if other is None:
            yield number, f"{found.group(1)} is no path from the root of the project"
        elif other == own:
            continue
        elif own in ALONE and other not in MEMORY:
            yield number, f"{own} includes nothing of ours but itself"
        elif LEVELS[other] >= LEVELS[own]:
            yield number, f"{own} (level {LEVELS[own]}) may not include {other} " \
                          f"(level {LEVELS[other]})"


def check_own_header_first(path, text):
    if path.startswith("tests/") or not path.endswith(".cc"):
        return
    header = path[:-3] + ".h"
    includes = [(n, i) for n, line in enumerate(text.splitlines(), 1)
                for i in re.findall(r'^#include [<"]([^>"]+)', line)]
    if header in [i for _, i in includes] and includes[0][1] != header:
        yield includes[0][0], f"{header} comes first, to show that it stands alone"


def check_third_parties(path, text):
    if path.startswith("tests/"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"#include <([^>]+)>", line)
        for library, where in CONFINED.items() if found else ():
            if re.match(library, found.group(1)) and not re.fullmatch(where, path):
                yield number, f"<{found.group(1)}> stays in {where}"


def check_first_comment(path, text):
    first = text.lstrip("\n").splitlines()[:2]
    if path.endswith((".cc", ".h", ".mjs")) and not (first and first[0].startswith("//")):
        yield 1, "a file begins with a comment that says what it is for"
    if path.endswith(".h") and "#pragma once" not in text:
        yield 1, "a header has #pragma once"
    if path.endswith(".py") and '"""' not in text[:200]:
        yield 1, "a file begins with a comment that says what it is for"
    is_script = path.startswith(("scripts/", ".ci/")) and "." not in Path(path).name
    if is_script and not (len(first) > 1 and first[1].startswith("# ")):
        yield 1, "a script begins with a comment that says what it is for"


def check_lines(path, text):
    if path == PROOF:
        return
    # A tab inside of a string is data.
    outside = code_only(text) if path.endswith((".cc", ".h")) else text
    for number, (line, code) in enumerate(zip(text.splitlines(), outside.splitlines()), 1):
        if len(line) > LINE_MAX:
            yield number, f"{len(line)} columns, more than {LINE_MAX}"
        if "\t" in code:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"


def check_file_size(path, text):
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        yield count, f"{count} lines, more than {FILE_LINES_MAX}: this is two files"


def check_function_size(path, text):
    """A function begins where `)` and perhaps a few words end a line with `{`, outside of any
    other function, and ends at its brace."""
    if not path.endswith((".cc", ".h")):
        return
    lines = code_only(text).splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if not re.search(r"\)[^;(){}=]*\{\s*$|\) : .*\{\s*$", line) or \
                re.match(r"\s*(namespace|class|struct|union|enum|extern)\b", line):
            number += 1
            continue
        depth, end = 0, number
        while end < len(lines):
            depth += lines[end].count("{") - lines[end].count("}")
            if depth <= 0:
                break
            end += 1
        size = end - number + 1
        if size > FUNCTION_LINES_MAX:
            yield number + 1, f"a function of {size} lines, more than {FUNCTION_LINES_MAX}"
        number = end + 1


def statements(code):
    """(line, text) of what stands between `;` and braces; a brace inside parentheses belongs to
    its statement."""
    begin = depth = 0
    for place, char in enumerate(code):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif depth == 0 and char in ";{}":
            text = code[begin:place]
            yield code.count("\n", 0, begin + len(text) - len(text.lstrip())) + 1, text
            begin = place + 1


CAPTURES = r"\[[^\[\]]+\]\s*(\([^()]*\)|\{)"


def check_co_await(path, text):
    """GCC 12 destroys some temporaries of such an expression twice."""
    if not path.endswith((".cc", ".h")) or "co_await" not in text:
        return
    for number, statement in statements(code_only(text)):
        if "co_await" not in statement:
            continue
        if "{" in statement:
            yield number, "braces in an expression with co_await: name the value first"
        if re.search(r"(?<![\w\])])" + CAPTURES, statement):
            yield number, "a lambda with captures in an expression with co_await: name it first"
        if "?" in statement:
            yield number, "?: in an expression with co_await: use if"


def check_lambda_coroutines(path, text):
    """Its captures die with the lambda object, usually before the coroutine does."""
    if not path.endswith((".cc", ".h")):
        return
    code = code_only(text)
    for found in re.finditer(r"(?<![\w\])])\[[^\[\]]+\]\s*\([^()]*\)[^{};]*(Task|awaitable)\s*<",
                             code):
        yield code.count("\n", 0, found.start()) + 1, "a lambda with captures is no coroutine"


def check_banned(path, text):
    if path == "tests/tidy/tidy.py":
        return
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, reason, where in BANNED:
            if re.search(pattern, line) and re.fullmatch(where, path):
                yield number, reason


def names_of_tests():
    """`Suite.Case` and `test_file.py::test_name` of every test in the tree."""
    found = {"tidy.py"}
    for path in ROOT.glob("tests/**/*_test.cc"):
        found.update(".".join(m) for m in re.findall(
            r"^(?:TYPED_)?TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.M))
    for path in ROOT.glob("tests/**/*_contract.h"):
        found.update(".".join(m) for m in re.findall(
            r"^TYPED_TEST_P\((\w+),\s*(\w+)\)", path.read_text(), re.M))
    for path in ROOT.glob("tests/**/test_*.py"):
        found.update(f"{path.name}::{name}" for name in re.findall(
            r"^def (test_\w+)", path.read_text(), re.M))
    for path in ROOT.glob("tests/browser/*.test.mjs"):
        found.add(path.name)
    return found


def check_proof(path, text):
    """A table that promises a test which is gone is worse than no table."""
    if path != PROOF:
        return
    known, rows = names_of_tests(), set()
    for number, line in enumerate(text.splitlines(), 1):
        row = re.match(r"\| ([A-L]\d\d) \|", line)
        if row:
            rows.add(row.group(1))
        if not line.startswith("| ") or line.startswith("| row"):
            continue
        tests = line.rsplit(" | ", 1)[1]
        for name in re.findall(r"`([^`]+)`", tests):
            if name not in known:
                yield number, f"there is no test {name}"
        if not re.search(r"`|raw requests|not served", tests):
            yield number, "no test is named"
    wanted = {f"{letter}{n:02}" for letter, count in PROOF_ROWS.items()
              for n in range(1, count + 1)}
    for missing in sorted(wanted - rows):
        yield 1, f"row {missing} is missing"


# Each rule with an example that it must notice: (path, text).
RULES = [
    (check_layers, ("auth/keys.cc", '#include "config/config.h"\n')),
    (check_layers, ("proxy/http/head.cc", '#include "proxy/net/task.h"\n')),
    (check_layers, ("proxy/runtime.h", '#include "proxy/worker.h"\n')),
    (check_layers, ("proxy/store/a.cc", '#include "proxy/runtime.h"\n')),
    (check_layers, ("unknown/a.cc", "// x\n")),
    (check_own_header_first, ("auth/keys.cc", "#include <a>\n#include \"auth/keys.h\"\n")),
    (check_third_parties, ("config/load.cc", "#include <yaml-cpp/yaml.h>\n")),
    (check_third_parties, ("proxy/http/head.cc", "#include <boost/asio/buffer.hpp>\n")),
    (check_first_comment, ("auth/a.cc", "#include <a>\n")),
    (check_first_comment, ("auth/a.h", "// A header without its guard.\n")),
    (check_lines, ("auth/a.cc", "x" * 101 + "\n")),
    (check_lines, ("auth/a.cc", "\tx\n")),
    (check_file_size, ("auth/a.cc", "\n" * 501)),
    (check_function_size, ("auth/a.cc", "void f() {\n" + "  g();\n" * 70 + "}\n")),
    (check_function_size, ("auth/a.cc", "A::A(int a)\n    : a_(a) {\n" + "  g();\n" * 70 + "}\n")),
    (check_co_await, ("proxy/a.cc", "co_await f(Agg{1, 2});")),
    (check_co_await, ("proxy/a.cc", "x = co_await f([s] { return s; });")),
    (check_co_await, ("proxy/a.cc", "x = a ? co_await f() : 0;")),
    (check_co_await, ("proxy/a.cc", "co_await f(\n    {.a = 1});")),
    (check_lambda_coroutines, ("proxy/a.cc", "auto f = [s]() -> net::Task<void> { co_return; };")),
    (check_banned, ("auth/a.cc", "// TO" + "DO: later\n")),
    (check_banned, ("auth/a.cc", "int x = rand();\n")),
    (check_banned, ("auth/a.cc", "#include <regex>\n")),
    (check_proof, (PROOF, "| A01 | said | `test_bodies.py::test_that_is_not_there` |\n")),
]
# What must pass, so that no rule becomes a nuisance.
GOOD = [
    (check_co_await, ("proxy/a.cc", "if (auto r = co_await f(a, b[i]); !r) {\n  return X{1};\n}")),
    (check_co_await, ("proxy/a.cc", "auto x = (co_await f()).value();  // {} ?\nauto y = {1};")),
    (check_co_await, ("proxy/a.cc", "for (;;) { const auto n = co_await s.read(buffer_); }")),
    (check_function_size, ("auth/a.cc", ("void f() {\n" + "  g();\n" * 40 + "}\n") * 3)),
    (check_layers, ("proxy/exchange.cc", '#include "proxy/runtime.h"\n#include "auth/jwt.h"\n')),
]


def files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kinds = (".cc", ".h", ".py", ".mjs", ".cmake", "CMakeLists.txt")
    return [p for p in listed.splitlines() if (ROOT / p).is_file() and (
        p.endswith(kinds) or p.startswith(("scripts/", ".ci/")) or p == PROOF)]


def main():
    cases = []  # (name, [findings])
    for rule, example in RULES:
        noticed = list(rule(*example))
        cases.append((f"{rule.__name__} notices {example[1][:40]!r}",
                      [] if noticed else ["tests/tidy/tidy.py:1: its example is missed"]))
    for rule, example in GOOD:
        cases.append((f"{rule.__name__} accepts {example[1][:40]!r}",
                      [f"tests/tidy/tidy.py:1: {m}" for _, m in rule(*example)]))
    rules = list(dict.fromkeys(rule for rule, _ in RULES))
    for path in files():
        text = (ROOT / path).read_text(errors="replace")
        cases.append((path, [f"{path}:{number}: {message}" for rule in rules
                             for number, message in rule(path, text)]))
    failed = [case for case in cases if case[1]]
    for _, findings in failed:
        print("\n".join(findings))
    if "--junit" in sys.argv:
        write_junit(Path(sys.argv[sys.argv.index("--junit") + 1]), cases)
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def write_junit(path, cases):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write('<testsuite name="tidy">\n')
        for name, findings in cases:
            failure = f"<failure message={quoteattr(' '.join(findings))}/>" if findings else ""
            file.write(f"<testcase name={quoteattr(name)}>{failure}</testcase>\n")
        file.write("</testsuite>\n")


if __name__ == "__main__":
    sys.exit(main())
