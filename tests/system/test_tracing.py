"""Traces: traceparent made or continued, and spans at a real HTTP receiver."""

import json
import re
import threading

import pytest

from support.backend import response
from support.client import render
from support.gate import SLOW
from support.metrics import Metrics

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\Z")
SERVER, CLIENT = 2, 3  # kinds of spans
OPEN = {"routes": [{"path": "/open/**", "access": "public", "name": "open"}]}


class Traced:
    """A program with an application behind it and a collector beside it."""

    def __init__(self, start, tracing=(), workers=2):
        self.app, self.collector = start.backend(), start.backend()
        self.gate = start(self.app, {**OPEN, "workers": workers, "tracing": {
            "otlp_url": self.collector.url + "/v1/traces", **dict(tracing)}})

    def batches(self):
        return [json.loads(r.body) for r in list(self.collector.requests) if r.complete]

    def spans(self):
        return [span for batch in self.batches() for resource in batch["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def span_of(self, path, kind=SERVER):
        found = []

        def look():
            found[:] = [s for s in self.spans()
                        if s["kind"] == kind and attributes(s)["url.path"] == path]
            return bool(found)
        self.gate.wait_for(look, f"a span of {path}")
        return found[0]

    def counted(self, result):
        text = self.gate.request("GET", "/metrics", role="health").body.decode()
        return Metrics(text).value("gatehouse_spans_total", result=result)


def attributes(span):
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


@pytest.fixture(scope="module")
def traced(start_module):
    return Traced(start_module)


def test_a_trace_begins_here(traced):
    traced.gate.get("/open/new", {"User-Agent": "probe"})
    trace_id, span_id, flags = FORM.match(traced.app.last().get("traceparent")).groups()
    assert flags == "01" and traced.app.last().get("tracestate") is None
    span = traced.span_of("/open/new")
    assert span["traceId"] == trace_id
    assert "parentSpanId" not in span and span["name"] == "GET open"
    below = traced.span_of("/open/new", CLIENT)
    assert below["traceId"] == trace_id and below["spanId"] == span_id != span["spanId"]
    assert below["parentSpanId"] == span["spanId"]
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 1e18
    told = attributes(span)
    assert told["http.request.method"] == "GET" and told["http.response.status_code"] == "200"
    assert told["http.route"] == "open" and told["client.address"] == "127.0.0.1"
    assert told["gatehouse.request_id"] == traced.app.last().get("X-Request-Id")
    assert traced.gate.wait_for_record(path="/open/new")["trace_id"] == trace_id
    batch = traced.batches()[0]["resourceSpans"][0]
    assert {"key": "service.name", "value": {"stringValue": "gatehouse"}} in \
        batch["resource"]["attributes"]
    request = traced.collector.requests[0]
    assert request.method == "POST" and request.target == "/v1/traces"
    assert request.get("Content-Type") == "application/json"


def test_a_trace_is_continued(traced):
    traced.gate.get("/open/more", {"traceparent": PARENT, "tracestate": "vendor=1,other=2"})
    _, trace_id, parent, _ = PARENT.split("-")
    seen = FORM.match(traced.app.last().get("traceparent"))
    assert seen.group(1) == trace_id and seen.group(2) != parent and seen.group(3) == "01"
    assert traced.app.last().all("tracestate") == ["vendor=1,other=2"]
    assert len(traced.app.last().all("traceparent")) == 1
    span = traced.span_of("/open/more")
    assert span["traceId"] == trace_id and span["parentSpanId"] == parent
    assert traced.span_of("/open/more", CLIENT)["spanId"] == seen.group(2) != span["spanId"]


def test_the_applications_part_is_a_span_of_its_own(traced):
    traced.app.answer("/open/missing", response(404))
    traced.gate.get("/open/missing")
    span, below = traced.span_of("/open/missing"), traced.span_of("/open/missing", CLIENT)
    told = attributes(below)
    host, port = traced.app.url.removeprefix("http://").split(":")
    assert told["server.address"] == host and told["server.port"] == port
    assert told["http.response.status_code"] == told["error.type"] == "404"
    assert below["status"] == {"code": 2} and "status" not in span, "the client's side is at fault"
    times = [int(s[key]) for s, key in ((span, "startTimeUnixNano"), (below, "startTimeUnixNano"),
                                        (below, "endTimeUnixNano"), (span, "endTimeUnixNano"))]
    assert times == sorted(times)


def test_a_second_try_is_told_of(start):
    app, collector, bad = start.backend(), start.backend(), start.backend()
    bad.on("*", lambda exchange: exchange.reset())
    gate = start(app, {"routes": [{**OPEN["routes"][0], "retry": {"attempts": 2}}], "workers": 1,
                       "upstreams": {"app": {"endpoints": [bad.url, app.url]}},
                       "tracing": {"otlp_url": collector.url + "/v1/traces"}})
    for _ in range(2):
        assert gate.get("/open/x").status == 200
    spans = lambda: [s for r in collector.requests if r.complete for s in
                     json.loads(r.body)["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    again = lambda: [s for s in spans() if attributes(s).get("http.request.resend_count") == "1"]
    gate.wait_for(lambda: again(), "the span of a second try")
    assert all(s["kind"] == CLIENT and "status" not in s for s in again())


def test_a_client_that_does_not_sample_is_heeded(traced):
    traced.gate.get("/open/quiet", {"traceparent": PARENT[:-2] + "00"})
    assert FORM.match(traced.app.last().get("traceparent")).group(3) == "00"
    traced.gate.get("/open/loud")
    traced.span_of("/open/loud")
    assert not [s for s in traced.spans() if attributes(s)["url.path"] == "/open/quiet"]


@pytest.mark.parametrize("value", ["nonsense", PARENT.upper(), PARENT + "-x", PARENT[3:]])
def test_what_is_no_traceparent_is_replaced(traced, value):
    traced.gate.get("/open/bad", {"traceparent": value, "tracestate": "a=1"})
    assert FORM.match(traced.app.last().get("traceparent")).group(1) not in value.lower()
    assert traced.app.last().get("tracestate") is None


def test_refusals_and_failures_are_spans_too(traced):
    traced.gate.get("/closed")
    told = attributes(traced.span_of("/closed"))
    assert told["http.response.status_code"] == "401" and told["error.type"] == "missing"
    traced.app.answer("/open/broken", b"HTTP/1.1 banana\r\n\r\n", close=True)
    traced.gate.get("/open/broken")
    assert traced.span_of("/open/broken")["status"] == {"code": 2}
    below = attributes(traced.span_of("/open/broken", CLIENT))
    assert below["error.type"] == "upstream_bad_response"
    assert "http.response.status_code" not in below
    assert not [s for s in traced.spans()
                if s["kind"] == CLIENT and attributes(s)["url.path"] == "/closed"]


def test_no_secret_and_no_user_in_a_span(traced):
    tokens = traced.gate.login()
    traced.gate.get(f"/private?access_token={tokens.access}", tokens.bearer())
    traced.span_of("/private")
    text = json.dumps(traced.batches())
    for secret in (tokens.access, tokens.refresh, "alice", tokens.claims()["sid"]):
        assert secret not in text


def test_a_part_of_the_traces(start):
    traced = Traced(start, {"sample": 0.25}, workers=1)
    flags = []
    with traced.gate.connect() as client:
        for _ in range(40):
            client.request("GET", "/open/x")
            flags.append(FORM.match(traced.app.last().get("traceparent")).group(3))
    assert flags.count("01") == 10
    traced.gate.wait_for(lambda: len(traced.spans()) == 20, "the spans, two for each request")


def test_the_last_spans_are_sent_at_the_end(start):
    traced = Traced(start)
    traced.gate.get("/open/last")
    traced.gate.stop()
    assert [attributes(s)["url.path"] for s in traced.spans()].count("/open/last") == 2


def test_a_collector_that_fails_costs_spans_only(start):
    traced = Traced(start)
    traced.collector.on("*", lambda exchange: exchange.reply(500))
    traced.gate.get("/open/x")
    traced.gate.wait_for(lambda: traced.counted("failed") == 2, "the failure")
    traced.gate.wait_for_log("the collector did not take spans")
    assert traced.gate.get("/open/x").status == 200


def test_under_pressure_spans_are_dropped(start):
    """The collector hangs: the queue fills up to its bound, and requests are served as before."""
    traced = Traced(start, workers=1)
    go_on = threading.Event()
    traced.collector.on("*", lambda exchange: go_on.wait(60))
    request = render("GET", "/open/x") * 100
    with traced.gate.connect(timeout=20 * SLOW) as client:
        for _ in range(100):
            client.send(request)
            for _ in range(100):
                assert client.read_response().status == 200
            if traced.counted("dropped") > 0:
                break
    assert traced.counted("dropped") > 0
    go_on.set()


def test_a_collector_that_can_be_no_url_is_refused(start):
    backend = start.backend()
    gate = start(backend, OPEN)
    config = start.config(backend, {**OPEN, "tracing": {"otlp_url": "collector:4318"}})
    gate.write_config(config)
    gate.signal(1)
    gate.wait_for_log("must be of the form http://HOST:PORT/v1/traces")
