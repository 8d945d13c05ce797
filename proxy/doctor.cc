// See doctor.h.
#include "proxy/doctor.h"

#include <sys/stat.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "auth/pem_facts.h"
#include "config/load.h"
#include "config/secret.h"
#include "proxy/cli.h"
#include "proxy/machine.h"
#include "proxy/net/reach.h"
#include "proxy/upstream.h"
#include "proxy/worker_state.h"

namespace proxy {
namespace {

using Findings = std::vector<Finding>;
using enum Finding::Weight;

constexpr std::chrono::milliseconds reach_timeout{500};
constexpr std::chrono::hours renew_before{14 * 24};
constexpr std::size_t pem_bytes_max = 1024 * 1024;
constexpr int rsa_bits_advised = 3072;  // NIST SP 800-57: 128 bits of security
// A secret of fewer different bytes was typed, not made.
constexpr std::size_t different_bytes_min = 16;

Findings or_fine(Findings findings, const char* fine_text) {
  if (findings.empty()) findings.push_back({fine, fine_text, ""});
  return findings;
}

// Whether the file behind this key holds something that nobody else may read.
bool is_secret(std::string_view key) {
  for (const std::string_view name :
       {".key_file", ".secret_file", ".password_file", ".token_file", "ticket_key_files"}) {
    if (key.find(name) != std::string_view::npos) {
      return key.find("public_key_file") == std::string_view::npos;
    }
  }
  return false;
}

std::string described(const config::NamedFile& file) {
  return file.key.empty() ? file.path : file.path + " (" + file.key + ")";
}

std::string date_text(auth::Time time) {
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
  const auto two = [](unsigned value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  return std::to_string(int{date.year()}) + "-" + two(unsigned{date.month()}) + "-" +
         two(unsigned{date.day()});
}

std::string host_of_url(const std::string& url) {
  const auto begin = url.find("://");
  const std::string authority = begin == std::string::npos ? url : url.substr(begin + 3);
  return authority.substr(0, authority.find_first_of(":/"));
}

bool is_local(const std::string& host) {
  const auto address = net::parse_address(host);
  return host == "localhost" || (address && address->is_loopback());
}

void examine_application(const std::string& name, const std::string& url,
                         const std::vector<std::string>& addresses, Findings& findings) {
  const auto target = upstream_endpoint(url);
  if (!target) return;
  const std::string what = "upstream " + name + " (" + url + ")";
  if (!target->unix_path.empty()) {
    struct stat status {};
    if (::stat(target->unix_path.c_str(), &status) != 0) {
      findings.push_back({doubtful, what + " is not there", "start the application"});
    } else if ((status.st_mode & S_IWOTH) != 0) {
      findings.push_back({doubtful, what + " can be used by every user of this machine",
                          "chmod 660 the socket and put both programs into one group"});
    } else {
      findings.push_back({fine, what + " is a socket of its own", ""});
    }
    return;
  }
  if (!is_local(target->host)) {
    findings.push_back({doubtful,
                        what + " is reached over the network, where others may reach it, too",
                        "let only Gatehouse connect to it: a NetworkPolicy, a firewall, or mutual "
                        "TLS"});
    return;
  }
  const std::string loopback = target->host == "localhost" ? "127.0.0.1" : target->host;
  if (!net::accepts(loopback, target->port, reach_timeout)) {
    findings.push_back({doubtful, what + " does not answer", "start the application, or correct "
                                                             "upstreams." + name + ".endpoints"});
  }
  for (const std::string& address : addresses) {
    if (!net::accepts(address, target->port, reach_timeout)) continue;
    findings.push_back({broken,
                        what + " also listens on " + address +
                            ": whoever reaches that address goes past Gatehouse",
                        "let the application listen on 127.0.0.1 only"});
    return;
  }
  findings.push_back({fine, what + " cannot be reached past Gatehouse", ""});
}

}  // namespace

std::vector<Finding> examine_files(const config::Config& config) {
  Findings findings;
  for (const config::NamedFile& file : config::named_files_of(config)) {
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) continue;  // compiling said so
    const std::string mode = "chmod o= " + file.path +
                             "; for a Kubernetes Secret: defaultMode: 0440 and fsGroup: 65532";
    if ((status.st_mode & S_IWOTH) != 0) {
      findings.push_back({broken, described(file) + " can be changed by everybody", mode});
    } else if (is_secret(file.key) && (status.st_mode & S_IROTH) != 0) {
      findings.push_back({doubtful, described(file) + " can be read by everybody", mode});
    } else if (file.key == "users.file" && (status.st_mode & S_IROTH) != 0) {
      findings.push_back({doubtful, described(file) + " shows its hashes to everybody", mode});
    }
  }
  return or_fine(std::move(findings), "files are closed to others");
}

std::vector<Finding> examine_certificates(const config::Config& config, auth::Time now) {
  Findings findings;
  for (const config::NamedFile& file : config::named_files_of(config)) {
    const config::SecretText text = config::read_file(file.path, pem_bytes_max);
    if (!text.error.empty()) continue;
    for (const auth::CertificateFacts& facts : auth::facts_of_pem(text.bytes).certificates) {
      const std::string what = "the certificate of " + facts.subject + " in " + described(file);
      const std::string until = date_text(facts.not_after);
      if (facts.not_after <= now) {
        findings.push_back({broken, what + " ended on " + until, "renew it"});
      } else if (facts.not_before > now) {
        findings.push_back({broken, what + " begins on " + date_text(facts.not_before),
                            "check the clock of this machine, or wait"});
      } else if (facts.not_after - now < renew_before) {
        findings.push_back({doubtful, what + " ends on " + until, "renew it now"});
      } else {
        findings.push_back({fine, what + " is valid until " + until, ""});
      }
    }
  }
  return or_fine(std::move(findings), "no certificates are configured");
}

std::vector<Finding> examine_keys(const config::Config& config) {
  Findings findings;
  for (const config::NamedFile& file : config::named_files_of(config)) {
    const config::SecretText text = config::read_file(file.path, pem_bytes_max);
    if (!text.error.empty()) continue;
    const int bits = auth::facts_of_pem(text.bytes).rsa_bits_min;
    if (bits != 0 && bits < rsa_bits_advised) {
      findings.push_back({doubtful,
                          described(file) + " holds an RSA key of " + std::to_string(bits) +
                              " bits",
                          "use ES256, or RSA of 3072 bits or more"});
    }
    if (file.key.find(".secret_file") == std::string::npos) continue;
    config::Secret secret;
    secret.file = file.path;
    const config::SecretText bytes = config::read_secret(secret);
    const std::set<char> different(bytes.bytes.begin(), bytes.bytes.end());
    if (bytes.error.empty() && different.size() < different_bytes_min) {
      findings.push_back({broken, described(file) + " looks typed or repeated, not random",
                          "make one: gatehouse keygen --algorithm HS256 > " + file.path});
    }
  }
  if (config.tokens.access.keys.empty() || config.tokens.refresh.keys.empty()) {
    findings.push_back({doubtful, "keys are made at start, so a restart logs everybody out",
                        "configure tokens.access.keys and tokens.refresh.keys"});
  }
  return or_fine(std::move(findings), "keys are strong enough");
}

std::vector<Finding> examine_cookies(const config::Config& config) {
  Findings findings;
  const std::string& url = config.external_url;
  const std::string host = host_of_url(url);
  const std::string& domain = config.cookies.domain;
  if (url.empty()) {
    findings.push_back({doubtful, "external_url is not set, so origins cannot be compared with it",
                        "set it to what users type, such as https://app.example.com"});
  } else if (!domain.empty() && host != domain && !host.ends_with("." + domain)) {
    findings.push_back({broken,
                        "cookies.domain " + domain + " does not contain external_url's host " +
                            host + ": browsers refuse the cookie, and nobody stays logged in",
                        "leave cookies.domain out, or name a parent domain of " + host});
  } else if (url.starts_with("http://") && config.cookies.secure.value_or(false)) {
    findings.push_back({broken, "cookies are for https only, but external_url is http",
                        "serve https, which is what it is for"});
  } else if (url.starts_with("http://") && !is_local(host)) {
    findings.push_back({doubtful, "external_url is http: passwords and tokens can be read on the "
                                  "way",
                        "put TLS in front, and say https in external_url"});
  }
  return or_fine(std::move(findings), "cookies fit external_url");
}

std::vector<Finding> examine_applications(const config::Config& config) {
  Findings findings;
  const std::vector<std::string> addresses = net::own_addresses();
  for (const config::Upstream& upstream : config.upstreams) {
    for (const std::string& url : upstream.endpoints) {
      examine_application(upstream.name, url, addresses, findings);
    }
  }
  return or_fine(std::move(findings), "no applications are configured");
}

std::vector<Finding> examine_limits(const config::Config& config) {
  Findings findings;
  config::Config copy = config;
  const std::string shortage = fit_to_descriptors(copy);
  if (!shortage.empty()) {
    findings.push_back({doubtful, shortage, "raise the limit (ulimit -n, LimitNOFILE= in systemd), "
                                            "or lower limits.connections to say what you mean"});
  }
  return or_fine(std::move(findings), "there are file descriptors enough");
}

namespace {

int print(const Findings& findings, std::ostream& out) {
  std::size_t bad = 0;
  std::size_t unsure = 0;
  for (const Finding& finding : findings) {
    bad += finding.weight == broken ? 1 : 0;
    unsure += finding.weight == doubtful ? 1 : 0;
    out << (finding.weight == fine ? "ok    " : finding.weight == doubtful ? "warn  " : "FAIL  ")
        << finding.what << '\n';
    if (!finding.fix.empty()) out << "      to mend it: " << finding.fix << '\n';
  }
  out << bad << " broken, " << unsure << " doubtful\n";
  return bad > 0 ? exit_failed : exit_ok;
}

void add_problems(const std::vector<config::Problem>& problems, Finding::Weight weight,
                  const char* fix, Findings& findings) {
  for (const config::Problem& problem : problems) {
    findings.push_back({weight, config::to_string(problem), fix});
  }
}

}  // namespace

int examine(const std::string& config_file, std::ostream& out) {
  Findings findings;
  const config::Loaded loaded = config::load_file(config_file);
  add_problems(loaded.problems, broken, "correct the file; docs/configuration.md explains each key",
               findings);
  if (!loaded.problems.empty()) return print(findings, out);
  const Compiled compiled = compile(loaded.config, nullptr);
  add_problems(compiled.problems, broken, "correct the file that it names", findings);
  add_problems(loaded.warnings, doubtful, "see docs/configuration.md", findings);
  add_problems(compiled.warnings, doubtful, "see docs/operate.md", findings);
  if (compiled.problems.empty()) findings.push_back({fine, config_file + " is valid", ""});
  const auto add = [&findings](Findings more) {
    findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  add(examine_files(loaded.config));
  add(examine_keys(loaded.config));
  add(examine_certificates(loaded.config, wall_clock()));
  add(examine_cookies(loaded.config));
  add(examine_applications(loaded.config));
  add(examine_store(loaded.config));
  add(examine_limits(loaded.config));
  return print(findings, out);
}

}  // namespace proxy
