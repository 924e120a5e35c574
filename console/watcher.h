#pragma once

#include <string>

namespace oob::console {

// Somebody who follows a console: a person's session, a script. All calls come from the console in the middle
// of its work: note what happened and return; do not attach, leave or write from inside.
class Watcher {
 public:
  virtual ~Watcher() = default;

  virtual void more() = 0;                         // there are new bytes to read
  virtual void told(const std::string& what) = 0;  // a remark to show: "line down: unplugged"
  virtual void offered() {}  // the keyboard is yours if you take it within the offer's time
  virtual void displaced(const std::string&) {}  // your Writer died: NAME forced the keyboard away
  virtual void writable() {}                     // Writer::write() may take more now
  virtual void gone(
      const std::string& why) = 0;  // the console is being removed; it must not be called any more
  virtual bool is_person() const { return false; }  // who sees what the console says, and answers for it
};

}  // namespace oob::console
