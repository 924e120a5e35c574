#include "audit/html.h"

#include "base/sha256.h"

namespace oob::audit {

// From cmake/player.cmake.
namespace parts {
extern const unsigned char player_script[], player_style[], page_script[], page_style[];
extern const unsigned long player_script_size, player_style_size, page_script_size, page_style_size;
}  // namespace parts

namespace {

using base::Bytes;
using base::str;

Bytes part(const unsigned char* bytes, unsigned long size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string escaped(Bytes text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// A script of ours may run because the page's policy names its hash (CSP level 2).
std::string hash_of(Bytes script) { return str("'sha256-", base::base64(base::sha256(script)), "'"); }

}  // namespace

base::Result<std::string> html_page(const CastHeader& header, Bytes cast, const PageFacts& facts) {
  if (parts::player_script_size == 0)
    return base::fail(
        base::Fault::failed,
        "this oobd was built without the player; 'export ID' gives the recording for 'asciinema play'");
  if (cast.size() > kMostPage)
    return base::fail(base::Fault::failed,
                      str("the recording has ", cast.size() >> 20, " MiB, a page holds ", kMostPage >> 20,
                          " at the most; 'export ID' gives it for 'asciinema play'"));
  Bytes player = part(parts::player_script, parts::player_script_size);
  Bytes script = part(parts::page_script, parts::page_script_size);
  std::string page;
  page.reserve(cast.size() / 3 * 4 + player.size() + (128 << 10));
  std::string title = escaped(
      str(header.user, " on ", header.device, ", ", base::rfc3339(header.started, base::Precision::seconds)));
  // The player compiles its WebAssembly from a data: URL within itself, and sets styles on its elements.
  page += str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src ",
              hash_of(player), " ", hash_of(script),
              " 'wasm-unsafe-eval'; style-src 'unsafe-inline'; connect-src data:; font-src data:; "
              "img-src data:; base-uri 'none'; form-action 'none'\">\n",
              "<meta name=\"viewport\" content=\"width=device-width\">\n<title>", title, "</title>\n<style>");
  page += part(parts::player_style, parts::player_style_size);
  page += "</style>\n<style>";
  page += part(parts::page_style, parts::page_style_size);
  page += str("</style>\n</head>\n<body>\n<h1>", title, "</h1>\n<p class=\"verdict ",
              facts.whole ? "whole" : "broken", "\">", escaped(facts.verdict), "</p>\n<table>\n");
  for (const auto& [what, is] : facts.rows)
    page += str("<tr><th>", escaped(what), "</th><td>", escaped(is), "</td></tr>\n");
  page += str("<tr><th>length</th><td id=\"length\"></td></tr>\n<tr><th>SHA-256 of the recording</th><td>",
              base::hex(base::sha256(cast)), "</td></tr>\n<tr><th>checkpoint</th><td><pre>",
              escaped(facts.checkpoint), "</pre></td></tr>\n</table>\n",
              "<div id=\"player\"></div>\n<p><button id=\"save\">Save the recording</button></p>\n",
              "<h2>What happened</h2>\n<ul id=\"events\"></ul>\n<script type=\"text/plain\" id=\"cast\">",
              base::base64(cast), "</script>\n<script>");
  page += player;
  page += "</script>\n<script>";
  page += script;
  page += "</script>\n</body>\n</html>\n";
  return page;
}

}  // namespace oob::audit
