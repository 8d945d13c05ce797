// See replay.h. What an access line says about the old decision: an `upstream` means that the
// request was forwarded; a refusal has the status of one, a reason, and no upstream; everything
// else was answered by one of our endpoints.
#include "proxy/replay.h"

#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <tuple>

#include "auth/json.h"
#include "proxy/rehearsal.h"

namespace proxy {
namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;

struct Recorded {
  std::string method;
  std::string host;
  std::string path;
  std::string user;
  std::string reason;
  int status = 0;
  bool was_forwarded = false;
};

// Nothing: no access line, or one that does not say enough.
std::optional<Recorded> read_line(const std::string& line) {
  if (line.size() > line_bytes_max || !line.starts_with('{')) return std::nullopt;
  const auto document = std::make_unique<auth::JsonDocument>();
  if (!document->parse(line)) return std::nullopt;
  const auth::Json root = document->root();
  const auto text = [&root](std::string_view name) {
    return std::string(root.member(name).text().value_or(std::string_view{}));
  };
  Recorded recorded{text("method"), text("host"),   text("path"),
                    text("user"),   text("reason"), 0,
                    !text("upstream").empty()};
  const auto status = root.member("status").whole();
  if (text("type") != "access" || recorded.method.empty() || recorded.path.empty() || !status) {
    return std::nullopt;
  }
  // A path that was cut by the log is another path.
  if (recorded.path.ends_with("...")) return std::nullopt;
  recorded.status = static_cast<int>(*status);
  return recorded;
}

bool is_refusal(const Recorded& recorded) {
  const int status = recorded.status;
  return !recorded.was_forwarded && !recorded.reason.empty() &&
         (status == 400 || status == 401 || status == 403 || status == 405 || status == 501);
}

std::string old_text(const Recorded& recorded) {
  if (recorded.was_forwarded) return "forwarded";
  return is_refusal(recorded) ? "refused " + std::to_string(recorded.status) : "answered";
}

std::string rule_text(const Decision& decision, const Runtime& runtime) {
  if (decision.route == nullptr) return "";
  std::string text = " by " + decision.route->name;
  if (decision.route->at.line != 0) {
    text += " (" + runtime.config.file + ":" + std::to_string(decision.route->at.line) + ")";
  }
  return text;
}

// Empty: as it was.
std::string difference(const Recorded& recorded, const Decision* decision,
                       const Runtime& runtime) {
  if (decision == nullptr) return is_refusal(recorded) ? "" : "refused: cannot be read";
  switch (decision->kind) {
    case Decision::Kind::forward:
      if (recorded.was_forwarded) return "";
      return "forwarded" + rule_text(*decision, runtime);
    case Decision::Kind::serve:
      return recorded.was_forwarded ? "answered by one of our endpoints" : "";
    case Decision::Kind::renew:  // never without a refresh cookie
      break;
    case Decision::Kind::reject:
      break;
  }
  if (is_refusal(recorded) && recorded.status == decision->status) return "";
  const bool by_token = decision->status == 401 || decision->status == 403;
  return "refused " + std::to_string(decision->status) + " " +
         std::string(by_token ? auth::name(decision->auth_error) : decision->error) +
         rule_text(*decision, runtime);
}

// Tokens of the users that occur, made once each.
class Tokens {
 public:
  Tokens(const Rehearsal& rehearsal, const Runtime& runtime)
      : rehearsal_(rehearsal), runtime_(runtime) {}
  // Null: the users file does not know that user, or no token could be made.
  const std::string* of(const std::string& user) {
    const auto [entry, is_new] = known_.try_emplace(user);
    if (is_new && !user.empty()) {
      const auth::User* found = runtime_.users->find_username(user);
      const auto token = found == nullptr ? auth::Result<std::string>(auth::Error::unknown_user)
                                          : rehearsal_.token_of(*found);
      if (token) entry->second = *token;
    }
    return user.empty() || !entry->second.empty() ? &entry->second : nullptr;
  }

 private:
  const Rehearsal& rehearsal_;
  const Runtime& runtime_;
  std::map<std::string, std::string> known_;
};

struct Seen {
  std::size_t count = 0;
  std::size_t first_line = 0;
};
// What was asked and by whom, how it was decided, how it would be.
using Differences = std::map<std::tuple<std::string, std::string, std::string>, Seen>;

void print(const Differences& differences, std::ostream& out) {
  for (const auto& [what, seen] : differences) {
    const auto& [request, before, after] = what;
    out << request << ": was " << before << ", would be " << after << " [line "
        << seen.first_line;
    if (seen.count > 1) out << ", " << seen.count << " times";
    out << "]\n";
  }
}

}  // namespace

int replay(const std::string& file, const Runtime& runtime, std::ostream& out, std::ostream& err) {
  std::ifstream in(file);
  if (!in) {
    err << "gatehouse policy: " << file << " cannot be read\n";
    return exit_usage;
  }
  Rehearsal rehearsal(runtime);
  Tokens tokens(rehearsal, runtime);
  Differences differences;
  std::size_t number = 0;
  std::size_t decided = 0;
  std::size_t different = 0;
  std::size_t unknown_users = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const auto recorded = read_line(line);
    if (!recorded) continue;
    const std::string* token = tokens.of(recorded->user);
    if (token == nullptr) {
      ++unknown_users;
      continue;
    }
    ++decided;
    const Rehearsal::Request request{recorded->method, recorded->path, recorded->host, *token};
    const std::string after = difference(*recorded, rehearsal.decide(request), runtime);
    if (after.empty()) continue;
    ++different;
    const std::string who = recorded->user.empty() ? "nobody" : recorded->user;
    const std::string asked =
        recorded->method + " " + recorded->host + recorded->path + " by " + who;
    Seen& seen = differences[{asked, old_text(*recorded), after}];
    if (seen.count++ == 0) seen.first_line = number;
  }
  print(differences, out);
  out << decided << " requests decided anew, " << different << " differently\n";
  if (unknown_users > 0) {
    out << unknown_users << " requests were left out: their users are not in the users file\n";
  }
  return different > 0 ? exit_failed : exit_ok;
}

}  // namespace proxy
