// Shared parts of a worker; see worker_state.h.
#include "proxy/worker_state.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "auth/bytes.h"
#include "proxy/net/frames.h"
#include "proxy/net/until_memory.h"

namespace proxy {
namespace {

// How many exchanges are kept for the next requests; more are freed when a burst is over.
constexpr std::size_t exchanges_kept = 1'024;
constexpr std::size_t exchanges_left = 8;  // however long they are not needed
// Proofs are a courtesy: under a flood the rest may be lost, which costs patience and no session.
constexpr std::size_t proofs_max = 4'096;

http::HeadLimits request_limits(const config::Limits& limits) {
  http::HeadLimits result;
  result.head_bytes = limits.request_head;
  result.fields = limits.header_count;
  result.field_bytes = std::min(result.field_bytes, result.head_bytes);
  result.target_bytes = std::min(result.target_bytes, result.head_bytes);
  return result;
}

// A stream that began after an entry for its user was made, but learns of it now (the entry came
// late, or twice), goes on.
bool is_meant(const store::Revocation& revocation, const SessionStream& stream) {
  if (stream.session_id.empty()) return false;
  if (!revocation.session_id.empty()) return stream.session_id == revocation.session_id;
  using std::chrono::floor;
  using std::chrono::seconds;
  const bool is_older = floor<seconds>(stream.issued_at) <= floor<seconds>(revocation.at);
  return is_older && (revocation.username.empty() || stream.username == revocation.username);
}

}  // namespace

std::uint64_t rate_seed() {
  std::uint64_t seed = 0;
  if (const auto random = auth::random_bytes(sizeof seed)) {
    std::copy(random->begin(), random->end(), reinterpret_cast<char*>(&seed));
  }
  return seed;
}

WorkerState::WorkerState(const net::Executor& loop, net::Wheel& deadlines,
                         store::SessionStore& sessions, HashPool& hashes, Log& lines,
                         ProcessState& shared)
    : executor(loop),
      wheel(deadlines),
      store(sessions),
      hashing(hashes),
      log(lines),
      process(shared),
      renewals(loop) {
  proofs_.reserve(proofs_max);
  const auto random = auth::random_bytes(id_prefix_.size() / 2);
  const std::string text = random ? auth::hex(*random) : std::string(id_prefix_.size(), '0');
  std::copy(text.begin(), text.end(), id_prefix_.begin());
}

WorkerState::~WorkerState() = default;

std::unique_ptr<Exchange> WorkerState::take_exchange() {
  if (exchanges_.empty()) {
    return std::make_unique<Exchange>(request_limits(local->runtime->config.limits),
                                      limits_version_);
  }
  auto exchange = std::move(exchanges_.back());
  exchanges_.pop_back();
  exchanges_unused_ = std::min(exchanges_unused_, exchanges_.size());
  return exchange;
}

void WorkerState::give_back(std::unique_ptr<Exchange> exchange) {
  if (!is_current(*exchange)) return;
  exchange->next();
  exchange->release();
  if (exchanges_.size() < exchanges_kept) exchanges_.push_back(std::move(exchange));
}

void WorkerState::trim() {
  const std::size_t spare =
      exchanges_.size() > exchanges_left ? exchanges_.size() - exchanges_left : 0;
  exchanges_.resize(exchanges_.size() - std::min(exchanges_unused_, spare));
  exchanges_unused_ = exchanges_.size();
  http::Buffer::trim_free_lists();
  net::trim_frames();
}

void WorkerState::install(LocalRuntimeRef next) {
  local = std::move(next);
  exchanges_.clear();
  exchanges_unused_ = 0;
  ++limits_version_;
}

void WorkerState::next_request_id(std::array<char, 24>& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::copy(id_prefix_.begin(), id_prefix_.end(), id.begin());
  std::uint32_t counter = id_counter_++;
  for (std::size_t i = 24; i > 16; --i) {
    id[i - 1] = digits[counter & 15];
    counter >>= 4;
  }
}

std::string_view WorkerState::date_line(auth::Time now) {
  const std::int64_t second = now.time_since_epoch().count() / 1000;
  if (second != date_second_ || date_line_.empty()) {
    date_second_ = second;
    const std::time_t time = second;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::array<char, 64> text{};
    // The C locale is never changed, so the names are English as the RFC demands.
    const std::size_t size =
        std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    date_line_.assign(text.data(), size);
  }
  return date_line_;
}

void WorkerState::note_proof(const auth::Principal& principal) {
  if (proofs_.size() >= proofs_max) return;
  const auto family = auth::family_from_text(principal.session_id);
  if (family) proofs_.push_back({*family, principal.generation});
}

void WorkerState::flush_proofs(auth::Time now) {
  for (const Proof& proof : proofs_) store.prove(proof.family, proof.generation, now);
  proofs_.clear();
}

void WorkerState::report(const char* what) noexcept {
  try {
    log.write(Level::error, what);
  } catch (const std::exception&) {
    return;
  }
}

void WorkerState::end_streams() {
  for (SessionStream& stream : session_streams) {
    if (stream.revoked || !stream.ends_itself) continue;
    stream.going_away = true;
    stream.client->cancel_read();
    stream.upstream->cancel_read();
  }
}

void WorkerState::tell(const store::Revocation& revocation) {
  const std::lock_guard lock(news_mutex_);
  news_.push_back(revocation);
  has_news_.store(true, std::memory_order_release);
}

void WorkerState::take_in_news() {
  std::vector<store::Revocation> news;
  {
    const std::lock_guard lock(news_mutex_);
    news.swap(news_);
    has_news_.store(false, std::memory_order_relaxed);
  }
  for (const store::Revocation& revocation : news) {
    net::until_memory([&] { apply(revocation); });
  }
}

void WorkerState::apply(const store::Revocation& revocation) {
  revocations.add(revocation);
  if (!revocation.session_id.empty()) {
    local->tokens.erase_session(revocation.session_id);
  } else if (!revocation.username.empty()) {
    local->tokens.erase_subject(revocation.username);
  }
  for (SessionStream& stream : session_streams) {
    if (stream.revoked || !is_meant(revocation, stream)) continue;
    stream.revoked = true;
    if (stream.ends_itself) {
      stream.client->cancel_read();
      stream.upstream->cancel_read();
    } else {
      stream.client->cancel();
      stream.upstream->cancel();
    }
  }
}

}  // namespace proxy
