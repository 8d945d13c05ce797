// See trace.h.
#include "proxy/trace.h"

#include <algorithm>
#include <cstring>

#include "auth/bytes.h"

namespace proxy {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

void put_hex(std::uint64_t value, char* out) {
  for (int i = 15; i >= 0; --i, value >>= 4U) out[i] = digits[value & 15U];
}

// The one traceparent of a request; two of them say nothing.
std::optional<TraceParent> parent_of(const http::RequestHead& head) {
  std::optional<TraceParent> found;
  int count = 0;
  for (const http::Field& field : head.fields) {
    if (field.id != http::HeaderId::other || field.name.size() != 11) continue;
    if (!http::equal_ignoring_case(field.name, "traceparent")) continue;
    found = parse_traceparent(field.value);
    ++count;
  }
  return count == 1 ? found : std::nullopt;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  // 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
  constexpr std::size_t length = 55;
  if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace_id = text.substr(3, 32);
  const std::string_view span_id = text.substr(36, 16);
  const std::string_view flags = text.substr(53, 2);
  if (!is_hex(version) || version == "ff" || !is_hex(trace_id) || !is_hex(span_id) ||
      !is_hex(flags) || is_zero(trace_id) || is_zero(span_id)) {
    return {};
  }
  if (text.size() > length && (version == "00" || text[length] != '-')) return {};
  TraceParent parent;
  std::copy(trace_id.begin(), trace_id.end(), parent.trace_id.begin());
  std::copy(span_id.begin(), span_id.end(), parent.span_id.begin());
  parent.sampled = (digits.find(flags[1]) & 1U) != 0;
  return parent;
}

void Trace::append_fields(const http::RequestHead& head, http::Buffer& out) const {
  out.append("traceparent: 00-");
  out.append(id());
  out.append("-");
  out.append({client_id.data(), client_id.size()});
  out.append(is_sampled ? "-01\r\n" : "-00\r\n");
  if (!is_continued) return;
  for (const http::Field& field : head.fields) {
    if (field.id != http::HeaderId::other || field.name.size() != 10) continue;
    if (!http::equal_ignoring_case(field.name, "tracestate")) continue;
    out.append("tracestate: ");
    out.append(field.value);
    out.append("\r\n");
  }
}

TraceSource::TraceSource() {
  const auto seed = auth::random_bytes(sizeof state_);
  if (seed) std::memcpy(&state_, seed->data(), sizeof state_);
}

// SplitMix64: ids have to differ and to be spread evenly; they are no secrets.
std::uint64_t TraceSource::next() {
  std::uint64_t value = state_ += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  value ^= value >> 31U;
  return value == 0 ? next() : value;  // an id of zeros means none
}

Trace TraceSource::begin(const http::RequestHead& head, const TraceRules& rules) {
  Trace trace;
  if (const auto parent = parent_of(head)) {
    trace.trace_id = parent->trace_id;
    trace.parent_id = parent->span_id;
    trace.is_known = true;
    trace.is_continued = true;
    trace.is_sampled = parent->sampled;
  }
  if (!rules.is_on) return trace;
  trace.is_ours = true;
  put_hex(next(), trace.span_id.data());
  put_hex(next(), trace.client_id.data());
  if (trace.is_known) return trace;
  put_hex(next(), trace.trace_id.data());
  put_hex(next(), trace.trace_id.data() + 16);
  trace.is_known = true;
  credit_ += rules.sample;
  trace.is_sampled = credit_ >= 1'000'000;
  if (trace.is_sampled) credit_ -= 1'000'000;
  return trace;
}

std::int64_t spans_of(const std::vector<Span>& requests) {
  const auto forwarded = std::count_if(requests.begin(), requests.end(),
                                       [](const Span& span) { return span.is_forwarded(); });
  return static_cast<std::int64_t>(requests.size()) + forwarded;
}

std::int64_t SpanQueue::push(std::vector<Span>& spans) {
  {
    const std::lock_guard lock(mutex_);
    const std::size_t room = spans_max - std::min(spans_max, spans_.size());
    const auto end = spans.begin() + static_cast<std::ptrdiff_t>(std::min(room, spans.size()));
    spans_.insert(spans_.end(), std::make_move_iterator(spans.begin()),
                  std::make_move_iterator(end));
    spans.erase(spans.begin(), end);
  }
  const std::int64_t lost = spans_of(spans);
  spans.clear();
  return lost;
}

std::vector<Span> SpanQueue::take(std::size_t count) {
  const std::lock_guard lock(mutex_);
  const auto end = spans_.begin() + static_cast<std::ptrdiff_t>(std::min(count, spans_.size()));
  std::vector<Span> taken(std::make_move_iterator(spans_.begin()), std::make_move_iterator(end));
  spans_.erase(spans_.begin(), end);
  return taken;
}

}  // namespace proxy
