#include "console/console_tail.h"

#include "auth/journal_line.h"
#include "console/clean_line.h"

namespace oob::console {

namespace {
constexpr std::size_t kLongest = 1000;  // bytes of one line
}

std::string fit_tail(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  if (text.size() <= auth::kMostJournalText) return text;
  std::size_t from = text.size() - auth::kMostJournalText;
  std::size_t newline = text.find('\n', from - 1);
  return newline == std::string::npos ? "" : text.substr(newline + 1);
}

std::string console_tail(base::Bytes raw, std::size_t lines) {
  while (!raw.empty() && (raw.back() == '\n' || raw.back() == '\r')) raw.remove_suffix(1);
  std::size_t from = raw.size();
  for (std::size_t count = 0; from > 0 && count < lines; ++count) {
    std::size_t newline = from >= 2 ? raw.rfind('\n', from - 2) : base::Bytes::npos;
    from = newline == base::Bytes::npos ? 0 : newline + 1;
  }
  std::string text, clean;
  for (base::Bytes rest = raw.substr(from); !rest.empty();) {
    std::size_t newline = rest.find('\n');
    clean.clear();
    clean_line(rest.substr(0, newline), clean);
    text += base::printable(clean, kLongest) + "\n";
    rest.remove_prefix(newline == base::Bytes::npos ? rest.size() : newline + 1);
  }
  return fit_tail(std::move(text));
}

}  // namespace oob::console
