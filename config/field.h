// The words in which table.cc describes a section: each `key(...)` line ties a name and its meaning
// to a member of a struct, and everything else (setter, printer, default, kind) follows from the
// member's type. A Section is built once and is immutable afterwards; safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/reader.h"

namespace config {

// One key whose value goes into a T.
template <typename T>
struct Field {
  using Set = std::function<void(Reader&, const Node&, const std::string& key, const Description&,
                                 T& object)>;
  using Get = std::function<Node(const T& object)>;

  Description about;
  Set set;
  Get get;

  Field&& required() && {
    about.required = true;
    return std::move(*this);
  }
  // Of a file that the program writes instead of reading it.
  Field&& output() && {
    about.is_output = true;
    return std::move(*this);
  }
  // Bounds in the unit of the kind: milliseconds, bytes or a count.
  Field&& range(std::uint64_t min, std::uint64_t max) && {
    about.min = min;
    about.max = max;
    return std::move(*this);
  }
  Field&& range(milliseconds min, milliseconds max) && {
    return std::move(*this).range(static_cast<std::uint64_t>(min.count()),
                                  static_cast<std::uint64_t>(max.count()));
  }
  Field&& raising(std::string cost) && {
    about.raising = std::move(cost);
    return std::move(*this);
  }
  // For defaults that depend on another key.
  Field&& by_default(std::string text) && {
    about.default_text = std::move(text);
    return std::move(*this);
  }
};

template <typename T>
using Section = std::vector<Field<T>>;

// The words an enumeration is written with: a specialisation lists them in the enumerators' order.
template <typename E>
struct Words;

template <typename E>
[[nodiscard]] std::vector<std::string> words_of() {
  return {Words<E>::list.begin(), Words<E>::list.end()};
}

// The value of an absent key, as it would be written.
template <typename T>
[[nodiscard]] std::vector<Description> describe(const Section<T>& section) {
  std::vector<Description> descriptions;
  const T defaults{};
  for (const auto& field : section) {
    auto about = field.about;
    if (about.default_text.empty() && !about.required && about.children.empty() && field.get) {
      const Node node = field.get(defaults);
      if (node.kind != Node::Kind::null) { about.default_text = to_flow(node); }
    }
    descriptions.push_back(std::move(about));
  }
  return descriptions;
}

template <typename T>
void read_section(Reader& reader, const Node& node, const std::string& key,
                  const Section<T>& section, T& object) {
  if (!is_map(reader, node, key)) { return; }
  if constexpr (requires { object.at = Location{}; }) { object.at = node.at; }
  std::vector<bool> seen(section.size());
  for (const auto& member : node.members) {
    const auto name = child_key(key, member.key);
    std::size_t i = 0;
    while (i < section.size() && section[i].about.name != member.key) { ++i; }
    if (i == section.size()) {
      std::vector<std::string> known;
      for (const auto& field : section) { known.push_back(field.about.name); }
      report_unknown_key(reader, member, name, known);
      continue;
    }
    seen[i] = true;
    const auto& field = section[i];
    if (member.value.kind == Node::Kind::null) {
      reader.report.problem(member.at, name, "has no value; remove the key to use its default");
    } else {
      field.set(reader, member.value, name, field.about, object);
      if (field.about.required && is_empty_text(member.value)) {
        reader.report.problem(member.value.at, name, "must not be empty");
      }
    }
  }
  for (std::size_t i = 0; i < section.size(); ++i) {
    if (section[i].about.required && !seen[i]) {
      reader.report.problem(node.at, child_key(key, section[i].about.name), "is required");
    }
  }
}

template <typename T>
[[nodiscard]] Node write_section(const Section<T>& section, const T& object) {
  Node map = Node::map();
  for (const auto& field : section) {
    if (!field.get) { continue; }
    Node value = field.get(object);
    if (value.kind != Node::Kind::null) { map.add(field.about.name, std::move(value)); }
  }
  return map;
}

template <typename T>
[[nodiscard]] Field<T> make_field(const char* name, Kind kind, const char* meaning,
                                  typename Field<T>::Set set, typename Field<T>::Get get) {
  Field<T> field;
  field.about.name = name;
  field.about.kind = kind;
  field.about.meaning = meaning;
  field.set = std::move(set);
  field.get = std::move(get);
  return field;
}

// A plain value: text, true or false, a number, a duration, a size, a rate, or a list or map of
// text, as the member's type says.
template <typename T, typename Value>
[[nodiscard]] Field<T> key(const char* name, Value T::*member, const char* meaning) {
  return make_field<T>(
      name, kind_of(Value{}), meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description& about,
               T& object) { read(reader, node, path, about, object.*member); },
      [member](const T& object) { return write(object.*member); });
}

// One of an enumeration's words; `M` is the enumeration or an optional of it.
template <typename T, typename E, typename M, typename Write>
[[nodiscard]] Field<T> choice_of(const char* name, M T::*member, const char* meaning, Write write) {
  auto field = make_field<T>(
      name, Kind::choice, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description& about,
               T& object) {
        const auto index = read_choice(reader, node, path, about);
        if (index) { object.*member = static_cast<E>(*index); }
      },
      [member, write](const T& object) { return write(object.*member); });
  field.about.choices = words_of<E>();
  return field;
}

template <typename E>
[[nodiscard]] Node write_word(E value) {
  return Node::scalar(std::string(Words<E>::list[static_cast<std::size_t>(value)]), true);
}

template <typename T, typename E>
  requires std::is_enum_v<E>
[[nodiscard]] Field<T> choice(const char* name, E T::*member, const char* meaning) {
  return choice_of<T, E>(name, member, meaning, [](E value) { return write_word(value); });
}

// The same, where another key says what it is by default.
template <typename T, typename E>
[[nodiscard]] Field<T> choice(const char* name, std::optional<E> T::*member, const char* meaning) {
  return choice_of<T, E>(name, member, meaning, [](const std::optional<E>& value) {
    return value ? write_word(*value) : Node{};
  });
}

// The name of a file, made independent of the directory the program was started in.
template <typename T>
[[nodiscard]] Field<T> file(const char* name, std::string T::*member, const char* meaning) {
  return make_field<T>(
      name, Kind::file, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description&,
               T& object) { read_file_name(reader, node, path, object.*member); },
      [member](const T& object) { return write(object.*member); });
}

// Several of them.
template <typename T>
[[nodiscard]] Field<T> files(const char* name, std::vector<std::string> T::*member,
                             const char* meaning) {
  auto field = make_field<T>(
      name, Kind::list, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description&,
               T& object) {
        if (!is_list(reader, node, path)) { return; }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          read_file_name(reader, node.items[i], item_key(path, i),
                         (object.*member).emplace_back());
        }
      },
      [member](const T& object) { return write(object.*member); });
  field.about.element = Kind::file;
  return field;
}

// What is printed instead of a secret. Too short to be one.
inline constexpr const char* masked_secret = "***";

// A secret written in place; printed masked. Its twin `<name>_file` is a line of its own.
template <typename T>
[[nodiscard]] Field<T> secret(const char* name, Secret T::*member, const char* meaning) {
  return make_field<T>(
      name, Kind::secret, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description& about,
               T& object) {
        Secret& target = object.*member;
        read(reader, node, path, about, target.value);
        target.at = node.at;
        if (!target.file.empty()) {
          reader.report.problem(node.at, path, "is set beside its _file form; keep one of the two");
        }
      },
      [member](const T& object) {
        return (object.*member).value.empty() ? Node{} : Node::scalar(masked_secret, true);
      });
}

template <typename T>
[[nodiscard]] Field<T> secret_file(const char* name, Secret T::*member, const char* meaning) {
  return make_field<T>(
      name, Kind::file, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description&,
               T& object) {
        Secret& target = object.*member;
        read_file_name(reader, node, path, target.file);
        target.at = node.at;
        if (!target.value.empty()) {
          reader.report.problem(node.at, path,
                                "is set beside the secret in place; keep one of the two");
        }
      },
      [member](const T& object) { return write((object.*member).file); });
}

// The path of one of our endpoints, or false.
template <typename T>
[[nodiscard]] Field<T> endpoint(const char* name, std::string T::*member, const char* meaning) {
  return make_field<T>(
      name, Kind::path_or_false, meaning,
      [member](Reader& reader, const Node& node, const std::string& path, const Description& about,
               T& object) {
        read(reader, node, path, about, object.*member);
        if (object.*member == "false") { (object.*member).clear(); }
      },
      [member](const T& object) {
        return (object.*member).empty() ? write(false) : write(object.*member);
      });
}

// A struct inside the struct.
template <typename T, typename Part>
[[nodiscard]] Field<T> section(const char* name, Part T::*member, Section<Part> keys,
                               const char* meaning) {
  const auto shared = std::make_shared<const Section<Part>>(std::move(keys));
  auto field = make_field<T>(
      name, Kind::section, meaning,
      [member, shared](Reader& reader, const Node& node, const std::string& path,
                       const Description&, T& object) {
        read_section(reader, node, path, *shared, object.*member);
      },
      [member, shared](const T& object) {
        Node map = write_section(*shared, object.*member);
        return map.members.empty() ? Node{} : map;
      });
  field.about.children = describe(*shared);
  return field;
}

// A struct inside the struct that is there only where the file has its section.
template <typename T, typename Part>
[[nodiscard]] Field<T> section(const char* name, std::optional<Part> T::*member,
                               Section<Part> keys, const char* meaning) {
  const auto shared = std::make_shared<const Section<Part>>(std::move(keys));
  auto field = make_field<T>(
      name, Kind::section, meaning,
      [member, shared](Reader& reader, const Node& node, const std::string& path,
                       const Description&, T& object) {
        read_section(reader, node, path, *shared, (object.*member).emplace());
      },
      [member, shared](const T& object) {
        return object.*member ? write_section(*shared, *(object.*member)) : Node{};
      });
  field.about.children = describe(*shared);
  return field;
}

// A section of the file whose values lie in the struct around it.
template <typename T>
[[nodiscard]] Field<T> group(const char* name, Section<T> keys, const char* meaning) {
  const auto shared = std::make_shared<const Section<T>>(std::move(keys));
  auto field = make_field<T>(
      name, Kind::section, meaning,
      [shared](Reader& reader, const Node& node, const std::string& path, const Description&,
               T& object) { read_section(reader, node, path, *shared, object); },
      [shared](const T& object) {
        Node map = write_section(*shared, object);
        return map.members.empty() ? Node{} : map;
      });
  field.about.children = describe(*shared);
  return field;
}

// A list of sections.
template <typename T, typename Item>
[[nodiscard]] Field<T> list(const char* name, std::vector<Item> T::*member, Section<Item> keys,
                            const char* meaning) {
  const auto shared = std::make_shared<const Section<Item>>(std::move(keys));
  auto field = make_field<T>(
      name, Kind::list, meaning,
      [member, shared](Reader& reader, const Node& node, const std::string& path,
                       const Description&, T& object) {
        if (!is_list(reader, node, path)) { return; }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          read_section(reader, node.items[i], item_key(path, i), *shared,
                       (object.*member).emplace_back());
        }
      },
      [member, shared](const T& object) {
        if ((object.*member).empty()) { return Node{}; }
        Node node = Node::list();
        for (const auto& item : object.*member) {
          node.items.push_back(write_section(*shared, item));
        }
        return node;
      });
  field.about.element = Kind::section;
  field.about.children = describe(*shared);
  return field;
}

// Sections under names of the operator's choice; the name goes into the item's `name`.
template <typename T, typename Item>
[[nodiscard]] Field<T> named(const char* name, std::vector<Item> T::*member, Section<Item> keys,
                             const char* meaning) {
  const auto shared = std::make_shared<const Section<Item>>(std::move(keys));
  auto field = make_field<T>(
      name, Kind::map, meaning,
      [member, shared](Reader& reader, const Node& node, const std::string& path,
                       const Description&, T& object) {
        if (!is_map(reader, node, path)) { return; }
        for (const auto& entry : node.members) {
          Item& item = (object.*member).emplace_back();
          item.name = entry.key;
          read_section(reader, entry.value, child_key(path, entry.key), *shared, item);
        }
      },
      [member, shared](const T& object) {
        Node node = Node::map();
        for (const auto& item : object.*member) {
          node.add(item.name, write_section(*shared, item));
        }
        return node.members.empty() ? Node{} : node;
      });
  field.about.element = Kind::section;
  field.about.children = describe(*shared);
  return field;
}

}  // namespace config
