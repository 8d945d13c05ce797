// The keys of browser, sessions and app_cookies: people who log in with a page.
#include <array>
#include <string_view>

#include "config/table_sections.h"

namespace config {

template <>
struct Words<Csrf> {
  static constexpr std::array<std::string_view, 2> list{"origin", "none"};
};
template <>
struct Words<Activity> {
  static constexpr std::array<std::string_view, 2> list{"interactive", "any"};
};

namespace {

Section<PageColors> color_keys() {
  using T = PageColors;
  return {
      key("accent", &T::accent, "Buttons and focus, as `#rrggbb`."),
      key("accent_dark", &T::accent_dark, "The same in dark mode."),
  };
}

Section<Pages> page_keys() {
  using T = Pages;
  return {
      key("title", &T::title, "What the login page calls itself."),
      key("language", &T::language, "The language of your texts, such as `de`."),
      file("logo_file", &T::logo_file,
           "A PNG, JPEG, GIF, WebP or SVG image of at most 8 KiB, put into the page."),
      section("colors", &T::colors, color_keys(), "The colours."),
      key("texts", &T::texts,
          "Your sentences instead of the built-in ones, by name; docs/browsers.md lists them."),
      file("directory", &T::directory,
           "A directory with `login.html`, `logout.html` and `message.html` of your own; what is "
           "not there is built in."),
  };
}

}  // namespace

Section<AppCookie> app_cookie_keys() {
  using T = AppCookie;
  return {
      key("name", &T::name, "The cookie's name, such as `JSESSIONID`.").required(),
      key("path", &T::path, "The path it is set with."),
      key("domain", &T::domain, "The domain it is set with; absent: none."),
  };
}

Section<Browser> browser_keys() {
  using T = Browser;
  return {
      key("enabled", &T::enabled, "Login page, access cookie and transparent refresh."),
      choice("csrf", &T::csrf,
             "`origin`: a changing request that is let in by a cookie must come from a page of "
             "the same origin. `none`: the application checks that itself."),
      key("allowed_redirects", &T::allowed_redirects,
          "Hosts beside our own to which a login may lead: `docs.example.com`, "
          "`*.example.com` (also the domain itself), with `:8443` or `:*` for other ports.")
          .raising("Each of them can use our login page to look trustworthy."),
      section("pages", &T::pages, page_keys(), "How our pages look."),
  };
}

Section<Sessions> session_keys() {
  using T = Sessions;
  return {
      choice("activity", &T::activity,
             "Which refreshes by a browser extend the idle life: `interactive` those for page "
             "navigations and changing requests, `any` all."),
      key("remember_me", &T::remember_me,
          "Ask at login whether to stay logged in; who does not is logged out when the browser "
          "closes."),
  };
}

}  // namespace config
