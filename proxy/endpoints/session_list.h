// A user's open sessions as JSON, for the user and for the administrator. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/store/session_store.h"

namespace proxy::endpoints {

// `[{"id","createdAt","lastSeenAt","expiresAt","userAgent","addressPrefix","current"}]`; times are
// RFC 3339 in UTC.
[[nodiscard]] std::string session_list(const std::vector<store::Session>& sessions,
                                       std::string_view current);

// The session named behind `prefix` and a slash; nullopt for every other path.
[[nodiscard]] std::optional<auth::FamilyId> session_in_path(std::string_view path,
                                                            std::string_view prefix);

}  // namespace proxy::endpoints
