// See listener_tls.h.
#include "proxy/listener_tls.h"

namespace proxy {
namespace {

net::ClientAuth client_auth(config::ClientAuth auth) {
  switch (auth) {
    case config::ClientAuth::optional:
      return net::ClientAuth::optional;
    case config::ClientAuth::required:
      return net::ClientAuth::required;
    case config::ClientAuth::none:
      break;
  }
  return net::ClientAuth::none;
}

net::TlsServerOptions options_for(const config::Listener& listener) {
  const config::ListenerTls& tls = *listener.tls;
  net::TlsServerOptions options;
  options.identity = listener.address;
  if (!tls.certificate_file.empty()) {
    options.certificates.push_back({tls.certificate_file, tls.key_file, tls.ocsp_file});
  }
  for (const config::Certificate& certificate : tls.certificates) {
    options.certificates.push_back(
        {certificate.certificate_file, certificate.key_file, certificate.ocsp_file});
  }
  options.min_version = tls.min_version == config::TlsVersion::v1_3 ? net::TlsVersion::v1_3
                                                                    : net::TlsVersion::v1_2;
  options.client_ca_file = tls.client_ca_file;
  options.client_auth = client_auth(tls.client_auth.value_or(config::ClientAuth::none));
  options.ticket_key_files = tls.ticket_key_files;
  return options;
}

}  // namespace

std::shared_ptr<const net::TlsServer> load_tls(const config::Listener& listener, std::size_t index,
                                               std::shared_ptr<const net::TicketKeys> tickets,
                                               config::Problem& problem) {
  net::TlsProblem wrong;
  auto server = net::TlsServer::make(options_for(listener), std::move(tickets), wrong);
  if (server) return server;
  std::string key = "listeners[" + std::to_string(index) + "].tls";
  config::Location at = listener.tls->at;
  const bool is_of_certificate = wrong.option == "certificate_file" || wrong.option == "key_file" ||
                                 wrong.option == "ocsp_file";
  if (is_of_certificate && !listener.tls->certificates.empty()) {
    key += ".certificates[" + std::to_string(wrong.certificate) + "]";
    at = listener.tls->certificates[wrong.certificate].at;
  }
  if (!wrong.option.empty()) key += "." + wrong.option;
  problem = {"", at, key, wrong.message};
  return nullptr;
}

std::vector<std::string> tls_files(const config::ListenerTls& tls) {
  std::vector<std::string> files = tls.ticket_key_files;
  const auto add = [&files](const std::string& file) {
    if (!file.empty()) files.push_back(file);
  };
  add(tls.certificate_file);
  add(tls.key_file);
  add(tls.ocsp_file);
  add(tls.client_ca_file);
  for (const config::Certificate& certificate : tls.certificates) {
    add(certificate.certificate_file);
    add(certificate.key_file);
    add(certificate.ocsp_file);
  }
  return files;
}

void check_tls(const config::Config& config, std::vector<config::Problem>& problems) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (!config.listeners[i].tls) continue;
    config::Problem problem;
    if (load_tls(config.listeners[i], i, net::make_ticket_keys(), problem)) continue;
    problem.file = config.file;
    problems.push_back(std::move(problem));
  }
}

}  // namespace proxy
