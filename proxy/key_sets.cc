// See key_sets.h.
#include "proxy/key_sets.h"

#include <algorithm>

#include "proxy/fetch.h"
#include "proxy/net/timer.h"

namespace proxy {
namespace {

constexpr std::chrono::milliseconds look_interval{500};
constexpr std::chrono::minutes refresh_interval{5};
// A token with an unknown kid costs its sender nothing, so it may not cost the issuer much.
constexpr std::chrono::seconds unknown_key_interval{60};
// Without any keys yet there is more hurry.
constexpr std::chrono::seconds first_interval{2};
constexpr std::chrono::milliseconds key_set_timeout{5'000};
constexpr std::size_t key_set_bytes_max = 256 * 1024;

}  // namespace

void KeySets::follow(const config::Config& config) {
  std::map<std::string, Set> followed;
  for (const config::TrustedIssuer& issuer : config.tokens.trusted_issuers) {
    for (const config::Key& key : issuer.keys) {
      if (key.jwks_url.empty()) continue;
      Set& set = followed[key.jwks_url];
      if (const auto known = sets_.find(key.jwks_url); known != sets_.end()) set = known->second;
      set.algorithms = algorithms_of(key, issuer.algorithms);
    }
  }
  sets_ = std::move(followed);
  tell_readiness();
}

void KeySets::tell_readiness() {
  const bool misses = std::any_of(sets_.begin(), sets_.end(),
                                  [](const auto& entry) { return entry.second.text.empty(); });
  control_.process.keys_missing.store(misses);
  control_.process.follows_keys.store(!sets_.empty());
}

void KeySets::complain(Set& set, const std::string& url, const std::string& reason) {
  set.due = Clock::now() + (set.text.empty() ? first_interval : unknown_key_interval);
  if (set.complaint == reason) return;
  set.complaint = reason;
  control_.log.write(Level::error,
                     set.text.empty() ? "the keys of a trusted issuer could not be fetched"
                                      : "the keys of a trusted issuer could not be fetched; the "
                                        "last good ones stay",
                     {{"url", url}, {"reason", reason}});
  control_.log.flush();
}

// Why the set cannot be used; empty once it is in force.
std::string KeySets::take(const std::string& url, const std::string& text) {
  Set& set = sets_[url];
  if (text == set.text) return "";
  const auth::JwksKeys keys = auth::keys_from_jwks(text, set.algorithms);
  if (!keys.error.empty()) return keys.error;
  KeySetTexts texts;
  for (const auto& [name, known] : sets_) {
    if (!known.text.empty()) texts[name] = known.text;
  }
  texts[url] = text;
  if (!install_(texts)) return "the set does not go with the other keys";
  set.text = text;
  set.keys = keys.keys.size();
  return "";
}

void KeySets::collect(Scrape& scrape) const {
  for (const auto& [url, set] : sets_) {
    scrape.set(Metric::jwks_keys, static_cast<double>(set.keys), url);
    if (set.text.empty()) continue;
    const auto since = set.fetched.time_since_epoch();
    scrape.set(Metric::jwks_fetched_time, std::chrono::duration<double>(since).count(), url);
  }
}

net::Task<void> KeySets::refresh(std::string url) {
  sets_[url].asked = Clock::now();
  FetchRequest request;
  // The configuration was checked; a URL that is none has failed there.
  request.target = parse_url(url).value_or(FetchTarget{});
  request.headers = "Accept: application/json, application/jwk-set+json\r\n"
                    "User-Agent: gatehouse\r\n";
  request.timeout = key_set_timeout;
  request.answer_bytes_max = key_set_bytes_max;
  std::string reason;
  if (request.target.is_https && !tls_) {
    net::TlsProblem problem;
    tls_ = net::TlsClient::make({}, problem);
    reason = problem.message;
  }
  request.tls = tls_;
  Fetched answer;
  if (reason.empty()) answer = co_await fetch(control_.executor, std::move(request));
  const auto known = sets_.find(url);
  if (known == sets_.end()) co_return;  // a reload has dropped it meanwhile
  if (answer.status == 200) {
    reason = take(url, answer.body);
  } else if (reason.empty()) {
    reason = answer.status == 0 ? answer.error : "status " + std::to_string(answer.status);
  }
  Set& set = known->second;
  count(Metric::jwks_fetches, url, reason.empty() ? "ok" : "failed");
  if (!reason.empty()) {
    complain(set, url, reason);
    co_return;
  }
  set.fetched = std::chrono::system_clock::now();
  set.due = Clock::now() + refresh_interval;
  set.complaint.clear();
  tell_readiness();
}

net::Task<void> KeySets::run() {
  net::Timer timer(control_.executor);
  for (;;) {
    const bool wanted = control_.process.keys_wanted.exchange(false);
    std::vector<std::string> due;
    for (const auto& [url, set] : sets_) {
      const bool may_ask = set.asked == Clock::time_point::min() ||
                           Clock::now() - set.asked >= unknown_key_interval;
      if (Clock::now() >= set.due || (wanted && may_ask)) due.push_back(url);
    }
    for (const std::string& url : due) {
      if (sets_.contains(url)) co_await refresh(url);
    }
    timer.expires_after(look_interval);
    const auto [error] = co_await timer.async_wait(net::as_result);
    if (error) co_return;
  }
}

}  // namespace proxy
