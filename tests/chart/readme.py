"""The table of values in the chart's README, in the style of helm-docs: a comment that begins with
`# --` describes the key below it."""

import json
import re

import yaml

BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->"


def descriptions(text):
    """{dotted key: description} from the comments; a blank line ends a comment."""
    found, comment, path = {}, None, []
    for line in text.splitlines():
        remark = re.match(r"\s*# ?(.*)", line)
        if remark:
            words = remark.group(1)
            if words.startswith("-- "):
                comment = [words[3:]]
            elif comment is not None:
                comment.append(words)
            continue
        key = re.match(r"(\s*)([A-Za-z]\w*):", line)
        if key:
            path = path[:len(key.group(1)) // 2] + [key.group(2)]
            if comment is not None:
                found[".".join(path)] = " ".join(comment)
        comment = None
    return found


def leaves(value, described, path=""):
    """The described keys, and below what is not described the keys in it; a leaf without a
    description is an error."""
    if path in described:
        yield path, value
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, described, f"{path}.{key}".strip("."))
    else:
        raise AssertionError(f"values.yaml: {path} has no description")


def table(text):
    described = descriptions(text)
    rows = ["| Key | Type | Default | Description |", "|---|---|---|---|"]
    kinds = {bool: "bool", int: "int", str: "string", list: "list", dict: "object"}
    for path, value in leaves(yaml.safe_load(text), described):
        rows.append(f"| {path} | {kinds[type(value)]} | `{json.dumps(value)}` "
                    f"| {described[path]} |")
    return "\n".join(rows) + "\n"


def found_in(readme):
    return readme.split(BEGIN)[1].split(END)[0]


def replaced(readme, new):
    before, rest = readme.split(BEGIN)
    return before + BEGIN + new + END + rest.split(END)[1]
