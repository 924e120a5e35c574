#include "oobd/config_tree.h"

#include <algorithm>

#include "base/bytes.h"

// The system's libtomlplusplus is built with exceptions and deeper nesting; the library is compiled in here
// instead, and nowhere else.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
// toml++ 3.3 asserts (or, with NDEBUG, promises the compiler) that a key begins with a key's character in
// places where the document decides that; without the assertion the next lines find the fault and say it.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_MAX_NESTED_VALUES OOBD_MOST_NESTED
#include <toml++/toml.h>

namespace oob {
namespace {

// A look at the text before toml++ 3.3 has it, for what that does not survive:
// - it makes one table for each part of a dotted key, without a limit, and frees them by recursion: a line of
//   some 100000 dots ends the program;
// - it takes it for impossible (__builtin_unreachable) that many non-ASCII characters stand where white space
//   may: between keys and values, and behind a backslash in a text of several lines. TOML 1.0 allows none
//   between, and no value of a configuration needs several lines.
// Knows just enough of TOML to tell texts and comments from the rest; where that goes wrong on a broken
// document, toml++ has stopped before.
class FirstLook {
 public:
  explicit FirstLook(std::string_view text) : rest_(text) {}

  std::optional<Tree::Fault> find() {
    unsigned dots = 0;
    while (!rest_.empty()) {
      char c = rest_[0];
      if (rest_.starts_with("\"\"\"") || rest_.starts_with("'''")) {
        return Tree::Fault{here_, "a text in three quotes: nothing here needs several lines"};
      } else if (c == '"' || c == '\'') {
        skip_text(c);
        continue;
      } else if (c == '#') {
        while (!rest_.empty() && rest_[0] != '\n') step(1);
        continue;
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        return Tree::Fault{here_, "a character that is not ASCII, outside of quotes"};
      } else if (c == '.') {
        if (++dots > kMostDots)
          return Tree::Fault{here_, base::str("more than ", kMostDots, " dots in one key")};
      } else if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) {
        dots = 0;
      }
      step(1);
    }
    return std::nullopt;
  }

 private:
  void step(std::size_t bytes) {
    for (; bytes > 0 && !rest_.empty(); --bytes) {
      if (rest_[0] == '\n') {
        ++here_.line;
        here_.column = 1;
      } else if ((static_cast<unsigned char>(rest_[0]) & 0xc0) != 0x80) {  // no continuation byte of UTF-8
        ++here_.column;
      }
      rest_.remove_prefix(1);
    }
  }

  void skip_text(char quote) {
    step(1);
    while (!rest_.empty() && rest_[0] != quote) {
      if (rest_[0] == '\n') return;  // never closed
      step(quote == '"' && rest_[0] == '\\' && rest_.substr(1, 1) != "\n" ? 2 : 1);
    }
    step(1);
  }

  std::string_view rest_;
  Place here_{1, 1};
};

Place place_of(const toml::source_region& region) {
  return {static_cast<unsigned>(region.begin.line), static_cast<unsigned>(region.begin.column)};
}

Node convert(const toml::node& from) {
  Node node;
  node.place = place_of(from.source());
  switch (from.type()) {
    case toml::node_type::table:
      node.kind = Node::Kind::table;
      for (const auto& [key, value] : *from.as_table()) {
        node.members.push_back({std::string(key.str()), place_of(key.source()), convert(value)});
      }
      std::stable_sort(node.members.begin(), node.members.end(),
                       [](const Member& a, const Member& b) { return a.place < b.place; });
      break;
    case toml::node_type::array:
      node.kind = Node::Kind::array;
      for (const toml::node& item : *from.as_array()) node.items.push_back(convert(item));
      break;
    case toml::node_type::string:
      node.kind = Node::Kind::text;
      node.text = from.as_string()->get();
      break;
    case toml::node_type::integer:
      node.kind = Node::Kind::integer;
      node.integer = from.as_integer()->get();
      break;
    case toml::node_type::boolean:
      node.kind = Node::Kind::truth;
      node.truth = from.as_boolean()->get();
      break;
    case toml::node_type::floating_point:
      node.kind = Node::Kind::real;
      break;
    default:
      node.kind = Node::Kind::time;
  }
  return node;
}

Tree broken(Place place, std::string message) {
  Tree tree;
  tree.fault = Tree::Fault{place, std::move(message)};
  return tree;
}

}  // namespace

const Member* Node::member(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

Tree parse_tree(std::string_view text) {
  if (text.substr(0, 2) == "\xff\xfe" || text.substr(0, 2) == "\xfe\xff") {
    return broken({1, 1}, "this is UTF-16: save it as UTF-8");
  }
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (std::optional<Tree::Fault> fault = FirstLook(text).find()) return broken(fault->place, fault->message);
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    std::string message = base::str("TOML: ", base::printable(error.description()));
    // toml++ calls the end of the line a control character there.
    if (message.find("parsing string: unescaped control") != std::string::npos)
      message += " (is a quote missing?)";
    return broken(place_of(error.source()), std::move(message));
  }
  Tree tree;
  tree.root = convert(parsed.table());
  return tree;
}

}  // namespace oob
