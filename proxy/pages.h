// The pages that people see: templates with the operator's title, logo, colours and texts, filled
// in for one answer. Everything that is filled in is escaped; no script is needed (SECURITY H13).
// Immutable after building; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace proxy {

enum class Page : std::uint8_t { login, logout, message };

// What differs from one answer to the next. Views live during the call; empty ones leave out the
// part of the page that is about them.
struct PageValues {
  std::string_view nonce{};     // of the Content-Security-Policy
  std::string_view action{};    // where the form goes
  std::string_view target{};    // where the login leads
  std::string_view csrf{};      // the form's half of the double submit
  std::string_view username{};  // typed before, or who is logged in
  std::string_view alert{};     // what went wrong and what to do
  std::string_view heading{};   // of a message
  std::string_view text{};      // of a message
  std::string_view detail{};    // for whoever looks after the place
  std::string_view link{};      // where to go from a message
  std::string_view link_text{};
  bool asks_to_remember = false;
  bool forgot_username = true;  // the cursor starts in the first field that is empty
};

// An HTML text with `{{name}}` for a value and `{{#name}}...{{/name}}` for a part that is left out
// where the value is empty.
class Template {
 public:
  Template() = default;
  // Returns why the text is no template; empty: it is one.
  [[nodiscard]] std::string parse(std::string_view text);
  [[nodiscard]] std::string render(const PageValues& values,
                                   const std::map<std::string, std::string>& constants) const;

 private:
  enum class Kind : std::uint8_t { literal, value, begin, end };
  struct Part {
    Kind kind = Kind::literal;
    std::string text;
  };
  std::vector<Part> parts_;
};

class Pages {
 public:
  Pages();
  // Reads the files that `from` names; problems are told as "browser.pages.KEY" and a sentence.
  struct Trouble {
    std::string key;
    std::string message;
  };
  [[nodiscard]] std::vector<Trouble> load(const config::Browser& from, bool asks_to_remember);

  [[nodiscard]] std::string render(Page page, const PageValues& values) const;
  // A sentence by its name; empty for names that do not exist.
  [[nodiscard]] std::string_view text(std::string_view name) const;
  [[nodiscard]] bool asks_to_remember() const { return asks_to_remember_; }

 private:
  void add_texts(const config::Pages& from, std::vector<Trouble>& troubles);
  void add_logo(const config::Pages& from, std::vector<Trouble>& troubles);
  void add_templates(const config::Pages& from, std::vector<Trouble>& troubles);
  void check_size(std::vector<Trouble>& troubles) const;

  std::map<std::string, std::string> constants_;
  Template login_, logout_, message_;
  bool asks_to_remember_ = false;
};

// The built-in templates and sentences (page_texts.cc).
[[nodiscard]] std::string built_in_template(Page page);
[[nodiscard]] const std::map<std::string, std::string>& built_in_texts();

// A page with everything that belongs to it must fit: slow lines and small devices.
inline constexpr std::size_t page_bytes_max = 20 * 1024;

// The files that a page may come from beside the logo, whether they exist or not.
[[nodiscard]] std::vector<std::string> template_files(const config::Browser& from);

[[nodiscard]] std::string escaped_html(std::string_view text);

}  // namespace proxy
