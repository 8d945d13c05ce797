// store.redis.url, which is short for other keys: redis://[user@]host[:port][/database], rediss://
// for TLS, unix:/path. Used while loading, by one thread.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace config {

// Puts what the URL says into the keys it stands for and clears it. A password is refused: URLs are
// printed.
void apply_redis_url(Redis& redis, Report& report);

}  // namespace config
