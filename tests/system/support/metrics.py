"""Reads Prometheus' text format, strictly enough to notice what a scraper would not take."""

import re

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,|\Z)')


class Metrics:
    """Samples of one scrape: {(name, frozenset of labels): value}."""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        for line in text.rstrip("\n").split("\n"):
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} is told twice"
                self.types[name] = kind
            elif not line.startswith("# HELP "):
                self._sample(line)

    def _sample(self, line):
        found = SAMPLE.match(line)
        assert found, f"no sample: {line!r}"
        name, labels, value = found.groups()
        base = re.sub("_(bucket|sum|count)$", "", name)
        assert name in self.types or self.types.get(base) == "histogram", line
        key = (name, frozenset(LABEL.findall(labels or "")))
        assert key not in self.samples, f"twice: {line}"
        self.samples[key] = float(value)

    def value(self, name, **labels):
        """The sum of all samples that have these labels; 0 when there is none."""
        wanted = set(labels.items())
        return sum(v for (n, have), v in self.samples.items() if n == name and wanted <= have)
