// The configuration of `gatehouse run --upstream URL`: no file, keys made at start, sessions in
// memory, cookies that also work over plain http. Pure; main thread.
#pragma once

#include <string>

#include "config/load.h"

namespace config {

// `listen` empty: 127.0.0.1:8080. Has no users; the server makes one and says its password. Each
// problem is one of the two arguments.
[[nodiscard]] Loaded quick_config(const std::string& upstream_url, const std::string& listen);

}  // namespace config
