// Where a login may lead: a path of ours, or a URL whose host is on the list. Everything else is
// refused, however a browser may read it (SECURITY H12). Immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace proxy {

class RedirectRules {
 public:
  RedirectRules() = default;
  // `hosts` as browser.allowed_redirects has them; `own_origin` may be empty.
  RedirectRules(const std::vector<std::string>& hosts, std::string own_origin);

  [[nodiscard]] bool allows(std::string_view target) const;
  // `target` where it is allowed, else the front page.
  [[nodiscard]] std::string_view checked(std::string_view target) const {
    return allows(target) ? target : std::string_view("/");
  }
  // What form-action of a Content-Security-Policy has to name for the same places.
  [[nodiscard]] const std::string& form_sources() const { return form_sources_; }

 private:
  struct Host {
    std::string name;     // lower case
    std::string port;     // empty: the scheme's own; "*": any
    bool below = false;   // also every host under it
  };
  [[nodiscard]] bool allows_url(std::string_view url) const;
  [[nodiscard]] bool allows_host(std::string_view name, std::string_view port,
                                 std::string_view own_port) const;
  std::vector<Host> hosts_;
  std::string own_origin_;
  std::string form_sources_ = "'self'";
};

// A path of this origin with query and fragment: one '/' in front, visible ASCII only, no
// backslash, nothing that a decoder could turn into another host.
[[nodiscard]] bool is_local_target(std::string_view target);

}  // namespace proxy
