// See pages.h.
#include "proxy/pages.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>

#include "auth/bytes.h"
#include "config/secret.h"

namespace proxy {
namespace {

constexpr std::size_t logo_bytes_max = 8 * 1024;
constexpr std::size_t template_bytes_max = 16 * 1024;
constexpr const char* login_file = "login.html";
constexpr const char* logout_file = "logout.html";
constexpr const char* message_file = "message.html";

struct Named {
  std::string_view name;
  std::string_view PageValues::* member;
};
constexpr std::array<Named, 11> members{{{"nonce", &PageValues::nonce},
                                         {"action", &PageValues::action},
                                         {"target", &PageValues::target},
                                         {"csrf", &PageValues::csrf},
                                         {"username", &PageValues::username},
                                         {"alert", &PageValues::alert},
                                         {"heading", &PageValues::heading},
                                         {"text", &PageValues::text},
                                         {"detail", &PageValues::detail},
                                         {"link", &PageValues::link},
                                         {"link_text", &PageValues::link_text}}};

std::string_view value_of(std::string_view name, const PageValues& values,
                          const std::map<std::string, std::string>& constants) {
  for (const Named& known : members) {
    if (known.name == name) return values.*known.member;
  }
  if (name == "asks_to_remember") return values.asks_to_remember ? "yes" : "";
  if (name == "forgot_username") return values.forgot_username ? "yes" : "";
  if (name == "knows_username") return values.forgot_username ? "" : "yes";
  const auto constant = constants.find(std::string(name));
  return constant == constants.end() ? std::string_view{} : std::string_view(constant->second);
}

// The relative luminance of WCAG 2.2.
double luminance(std::string_view color) {
  double sum = 0;
  constexpr std::array<double, 3> weights{0.2126, 0.7152, 0.0722};
  for (std::size_t i = 0; i < 3; ++i) {
    const double part = std::stoi(std::string(color.substr(1 + 2 * i, 2)), nullptr, 16) / 255.0;
    sum += weights[i] * (part <= 0.04045 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4));
  }
  return sum;
}

// Black or white, whichever can be read better: one of them always has a contrast over 4.5.
std::string ink_on(std::string_view color) {
  const double light = luminance(color);
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff";
}

std::optional<std::string_view> image_type(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n")) return "image/png";
  if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
  if (bytes.starts_with("GIF8")) return "image/gif";
  if (bytes.size() > 12 && bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP") {
    return "image/webp";
  }
  if (bytes.substr(0, 1'024).find("<svg") != std::string_view::npos) return "image/svg+xml";
  return std::nullopt;
}

std::string base64(std::string_view bytes) {
  std::string text = auth::base64url_encode(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

}  // namespace

std::vector<std::string> template_files(const config::Browser& from) {
  std::vector<std::string> files;
  if (from.pages.directory.empty()) return files;
  for (const char* name : {login_file, logout_file, message_file}) {
    files.push_back(from.pages.directory + "/" + name);
  }
  return files;
}

std::string escaped_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string Template::parse(std::string_view text) {
  parts_.clear();
  std::vector<std::string> open;
  while (!text.empty()) {
    const std::size_t start = text.find("{{");
    parts_.push_back({Kind::literal, std::string(text.substr(0, start))});
    if (start == std::string_view::npos) break;
    const std::size_t end = text.find("}}", start);
    if (end == std::string_view::npos) return "a `{{` is not closed";
    std::string name(text.substr(start + 2, end - start - 2));
    text.remove_prefix(end + 2);
    Kind kind = Kind::value;
    if (name.starts_with('#')) kind = Kind::begin;
    if (name.starts_with('/')) kind = Kind::end;
    if (kind != Kind::value) name.erase(0, 1);
    if (kind == Kind::begin) open.push_back(name);
    if (kind == Kind::end) {
      if (open.empty() || open.back() != name) return "`{{/" + name + "}}` closes nothing";
      open.pop_back();
    }
    parts_.push_back({kind, std::move(name)});
  }
  return open.empty() ? "" : "`{{#" + open.back() + "}}` is not closed";
}

std::string Template::render(const PageValues& values,
                             const std::map<std::string, std::string>& constants) const {
  std::string out;
  std::size_t hidden = 0;  // how many parts around this place are left out
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Kind::literal:
        if (hidden == 0) out += part.text;
        break;
      case Kind::value:
        if (hidden == 0) out += escaped_html(value_of(part.text, values, constants));
        break;
      case Kind::begin:
        if (hidden > 0 || value_of(part.text, values, constants).empty()) ++hidden;
        break;
      case Kind::end:
        if (hidden > 0) --hidden;
        break;
    }
  }
  return out;
}

Pages::Pages() { (void)load({}, false); }

std::string_view Pages::text(std::string_view name) const {
  const auto found = constants_.find("text." + std::string(name));
  return found == constants_.end() ? std::string_view{} : std::string_view(found->second);
}

std::string Pages::render(Page page, const PageValues& values) const {
  switch (page) {
    case Page::login: return login_.render(values, constants_);
    case Page::logout: return logout_.render(values, constants_);
    case Page::message: break;
  }
  return message_.render(values, constants_);
}

void Pages::add_texts(const config::Pages& from, std::vector<Trouble>& troubles) {
  for (const auto& [name, text] : built_in_texts()) constants_["text." + name] = text;
  for (const auto& [name, text] : from.texts) {
    if (!built_in_texts().contains(name)) {
      troubles.push_back({"texts." + name, "is none of the texts that docs/browsers.md lists"});
      continue;
    }
    constants_["text." + name] = text;
  }
}

void Pages::add_logo(const config::Pages& from, std::vector<Trouble>& troubles) {
  if (from.logo_file.empty()) return;
  const config::SecretText file = config::read_file(from.logo_file, logo_bytes_max);
  if (!file.error.empty()) {
    troubles.push_back({"logo_file", file.error});
    return;
  }
  const auto type = image_type(file.bytes);
  if (!type) {
    troubles.push_back({"logo_file", from.logo_file + " is no PNG, JPEG, GIF, WebP or SVG"});
    return;
  }
  constants_["logo"] = "data:" + std::string(*type) + ";base64," + base64(file.bytes);
}

void Pages::add_templates(const config::Pages& from, std::vector<Trouble>& troubles) {
  const auto add = [&](Page page, const char* name, Template& into) {
    std::string text = built_in_template(page);
    std::error_code ignored;
    const std::string path = from.directory + "/" + name;
    if (!from.directory.empty() && std::filesystem::exists(path, ignored)) {
      config::SecretText file = config::read_file(path, template_bytes_max);
      if (!file.error.empty()) {
        troubles.push_back({"directory", file.error});
        return;
      }
      text = std::move(file.bytes);
    }
    const std::string wrong = into.parse(text);
    if (!wrong.empty()) troubles.push_back({"directory", path + ": " + wrong});
  };
  add(Page::login, login_file, login_);
  add(Page::logout, logout_file, logout_);
  add(Page::message, message_file, message_);
  std::error_code ignored;
  if (!from.directory.empty() && !std::filesystem::is_directory(from.directory, ignored)) {
    troubles.push_back({"directory", from.directory + " is no directory"});
  }
}

void Pages::check_size(std::vector<Trouble>& troubles) const {
  const std::string target(2'048, 'x');
  PageValues values;
  values.target = target;
  values.alert = text("wrong_password");
  values.csrf = std::string_view(target).substr(0, 100);
  values.asks_to_remember = true;
  const std::size_t size = render(Page::login, values).size();
  if (size > page_bytes_max) {
    troubles.push_back({"", "the login page would have " + std::to_string(size) +
                                " bytes and may have 20 KiB; use a smaller logo or template"});
  }
}

std::vector<Pages::Trouble> Pages::load(const config::Browser& from, bool asks_to_remember) {
  std::vector<Trouble> troubles;
  asks_to_remember_ = asks_to_remember;
  constants_.clear();
  constants_["title"] = from.pages.title;
  constants_["language"] = from.pages.language;
  const config::PageColors& colors = from.pages.colors;
  constants_["accent"] = colors.accent;
  constants_["accent_ink"] = ink_on(colors.accent);
  constants_["accent_dark"] = colors.accent_dark;
  constants_["accent_dark_ink"] = ink_on(colors.accent_dark);
  add_texts(from.pages, troubles);
  add_logo(from.pages, troubles);
  add_templates(from.pages, troubles);
  if (troubles.empty()) check_size(troubles);
  return troubles;
}

}  // namespace proxy
