// The certificates of a listener: from configuration to what its connections are made with. Reads
// files; start, control thread and `check` only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/net/tls.h"

namespace proxy {

// Null and a problem when a file cannot be used. `index` is the listener's place in the list.
[[nodiscard]] std::shared_ptr<const net::TlsServer> load_tls(
    const config::Listener& listener, std::size_t index,
    std::shared_ptr<const net::TicketKeys> tickets, config::Problem& problem);

// Every file that load_tls() reads.
[[nodiscard]] std::vector<std::string> tls_files(const config::ListenerTls& tls);

// What is wrong with the certificates of all listeners, for `check`.
void check_tls(const config::Config& config, std::vector<config::Problem>& problems);

}  // namespace proxy
