// The keys of tracing: where spans go.
#include "config/table_sections.h"

namespace config {

Section<Tracing> tracing_keys() {
  using T = Tracing;
  return {
      key("otlp_url", &T::otlp_url,
          "Where spans are sent as OTLP/HTTP JSON, such as `http://127.0.0.1:4318/v1/traces`; "
          "without it no trace is begun, and the client's `traceparent` is passed on as it came."),
      key("sample", &T::sample,
          "Which part of the traces that begin here is recorded; a trace that a client began is "
          "recorded as its `traceparent` says.")
          .raising("A span for each request, a few hundred bytes to the collector."),
  };
}

}  // namespace config
