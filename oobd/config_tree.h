#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oob {

// Where something stands in a text: both from 1, columns in characters (code points). 0: about the whole
// file.
struct Place {
  unsigned line = 0, column = 0;
  auto operator<=>(const Place&) const = default;
};

struct Member;

// A value of a TOML 1.0 document with its place; of the rest of oobd only this knows about TOML.
struct Node {
  enum class Kind { table, array, text, integer, real, truth, time };
  Kind kind = Kind::table;
  Place place;                  // of a table made by a header: of its '['
  std::string text;             // Kind::text: UTF-8, may hold any character
  std::int64_t integer = 0;     // Kind::integer
  bool truth = false;           // Kind::truth
  std::vector<Node> items;      // Kind::array
  std::vector<Member> members;  // Kind::table, in the order of the document, each key once

  const Member* member(std::string_view key) const;  // null where there is none
};

struct Member {
  std::string key;
  Place place;  // of the key
  Node value;
};

// Either the whole document, or the first thing that is wrong with it.
struct Tree {
  Node root;
  struct Fault {
    Place place;
    std::string message;
  };
  std::optional<Fault> fault;
};

// At most this many dots in one key or header, and arrays and inline tables so deep in each other.
constexpr unsigned kMostDots = 16;
#define OOBD_MOST_NESTED 16

// Reads a document. A UTF-8 byte order mark and CRLF are taken as they are; everything else that TOML 1.0
// does not allow is a fault, and so are keys and values nested deeper than the limits above.
Tree parse_tree(std::string_view text);

}  // namespace oob
