#include "oobd/config_tree.h"

#include <algorithm>

#include "base/bytes.h"

// The system's libtomlplusplus is built with exceptions and deeper nesting; the library is compiled in here
// instead, and nowhere else.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
// toml++ 3.3 asserts (or, with NDEBUG, promises the compiler) that a key begins with a key's character in places where
// the document decides that; without the assertion the next lines find the fault and say it.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_MAX_NESTED_VALUES OOBD_MOST_NESTED
#include <toml++/toml.h>

namespace oob {
namespace {

// toml++ 3.3 makes one table for each part of a dotted key, without a limit, and frees them by recursion: a
// line of some 100000 dots ends the program. So dots are counted before it sees the text. Knows just enough
// of TOML to tell strings and comments from keys; where it goes wrong on a broken document, toml++ has
// stopped before.
class DotCounter {
 public:
  explicit DotCounter(std::string_view text) : rest_(text) {}

  // The place of the first dot too many.
  std::optional<Place> find() {
    unsigned dots = 0;
    while (!rest_.empty()) {
      char c = rest_[0];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        while (!rest_.empty() && rest_[0] != '\n') step(1);
        continue;
      }
      if (c == '.') {
        if (++dots > kMostDots) return here_;
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

  void skip_string(char quote) {
    std::string triple(3, quote);
    bool many_lines = rest_.substr(0, 3) == triple;
    std::string_view end = many_lines ? std::string_view(triple) : std::string_view(triple).substr(0, 1);
    step(end.size());
    while (!rest_.empty() && rest_.substr(0, end.size()) != end) {
      if (!many_lines && rest_[0] == '\n') return;  // never closed
      step(quote == '"' && rest_[0] == '\\' ? 2 : 1);
    }
    step(end.size());
    while (many_lines && !rest_.empty() && rest_[0] == quote)
      step(1);  // """ may stand behind one or two quotes
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
  if (std::optional<Place> place = DotCounter(text).find()) {
    return broken(*place, base::str("more than ", kMostDots, " dots in one key"));
  }
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
