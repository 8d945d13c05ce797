#include <iostream>
#include <string_view>

#include "config/load.h"
#include "proxy/server.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  auto loaded = config::load_file(argv[3]);
  for (auto& p : loaded.problems) std::cerr << config::to_string(p) << "\n";
  if (!loaded.problems.empty()) return 1;
  proxy::ServerOptions options;
  options.config = loaded.config;
  proxy::Server server(std::move(options));
  return server.run();
}
