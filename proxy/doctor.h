// `gatehouse doctor`: looks at what usually goes wrong, from where Gatehouse runs, before users
// notice. Each finding says how to mend it. Changes nothing; main thread; may wait for the network.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "proxy/runtime.h"

namespace proxy {

struct Finding {
  enum class Weight { fine, doubtful, broken };
  Weight weight = Weight::fine;
  std::string what;
  std::string fix;  // empty where it is fine
};

// The parts, each with at least one finding.
[[nodiscard]] std::vector<Finding> examine_files(const config::Config& config);
[[nodiscard]] std::vector<Finding> examine_certificates(const config::Config& config,
                                                        auth::Time now);
[[nodiscard]] std::vector<Finding> examine_keys(const config::Config& config);
[[nodiscard]] std::vector<Finding> examine_cookies(const config::Config& config);
[[nodiscard]] std::vector<Finding> examine_applications(const config::Config& config);
// Asks Redis, where sessions are there.
[[nodiscard]] std::vector<Finding> examine_store(const config::Config& config);
[[nodiscard]] std::vector<Finding> examine_limits(const config::Config& config);

// All of them, printed. exit_failed when something is broken.
[[nodiscard]] int examine(const std::string& config_file, std::ostream& out);

}  // namespace proxy
