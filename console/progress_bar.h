#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace oob::console {

// How far several things are, a line each at the bottom of what a command has printed, drawn anew in place.
// Pure: says what to write to the terminal (ECMA-48: CUU, EL, ED). Never as wide or as high as the terminal,
// so that no line wraps and none scrolls out of reach.
class ProgressBars {
 public:
  struct Bar {
    std::string what;                // "config.xml", "logging in"
    std::uint64_t done = 0, of = 0;  // bytes; of 0: not known
    unsigned number = 0, files = 0;  // of several, each of which is taken for as long as the others
  };

  // `name`: the width of the longest name.
  ProgressBars(unsigned columns, unsigned rows, std::size_t name);
  void resize(unsigned columns, unsigned rows);
  void set(const std::string& name, Bar bar) { bars_[name] = std::move(bar); }
  void remove(const std::string& name) { bars_.erase(name); }
  bool empty() const { return bars_.empty(); }

  // Takes what was drawn away: other text may be printed from here, as whole lines.
  std::string erase();
  // Draws all of them over what was drawn before; the cursor is at the beginning of the line below.
  std::string draw();

 private:
  std::string line(const std::string& name, const Bar& bar) const;

  unsigned columns_, rows_;
  std::size_t name_;
  std::map<std::string, Bar> bars_;
  unsigned drawn_ = 0;  // lines
};

// "412 B", "8.2 kB", "211 kB", "3.1 MB".
std::string size_text(std::uint64_t bytes);

}  // namespace oob::console
