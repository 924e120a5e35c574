#include "snapshot/well_formed.h"

#include <expat.h>

#include <boost/json/basic_parser_impl.hpp>
#include <memory>

namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

struct Freed {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, Freed>;

struct Progress {
  XML_Parser parser;
  bool entity = false;
};

void XMLCALL on_entity(void* user, const XML_Char*, int, const XML_Char*, int, const XML_Char*,
                       const XML_Char*, const XML_Char*, const XML_Char*) {
  auto* progress = static_cast<Progress*>(user);
  progress->entity = true;
  XML_StopParser(progress->parser, XML_FALSE);
}

// Takes whatever is well-formed, and keeps nothing of it.
struct Anything {
  using View = boost::json::string_view;
  using Wrong = boost::json::error_code;
  static constexpr std::size_t max_object_size = -1;
  static constexpr std::size_t max_array_size = -1;
  static constexpr std::size_t max_key_size = -1;
  static constexpr std::size_t max_string_size = -1;
  bool on_document_begin(Wrong&) { return true; }
  bool on_document_end(Wrong&) { return true; }
  bool on_object_begin(Wrong&) { return true; }
  bool on_object_end(std::size_t, Wrong&) { return true; }
  bool on_array_begin(Wrong&) { return true; }
  bool on_array_end(std::size_t, Wrong&) { return true; }
  bool on_key_part(View, std::size_t, Wrong&) { return true; }
  bool on_key(View, std::size_t, Wrong&) { return true; }
  bool on_string_part(View, std::size_t, Wrong&) { return true; }
  bool on_string(View, std::size_t, Wrong&) { return true; }
  bool on_number_part(View, Wrong&) { return true; }
  bool on_int64(std::int64_t, View, Wrong&) { return true; }
  bool on_uint64(std::uint64_t, View, Wrong&) { return true; }
  bool on_double(double, View, Wrong&) { return true; }
  bool on_bool(bool, Wrong&) { return true; }
  bool on_null(Wrong&) { return true; }
  bool on_comment_part(View, Wrong&) { return true; }
  bool on_comment(View, Wrong&) { return true; }
};

}  // namespace

Result<> well_formed_xml(base::Bytes text) {
  Parser parser(XML_ParserCreate(nullptr));
  if (!parser) return fail(Fault::internal, "no memory for an XML parser");
  Progress progress{parser.get()};
  XML_SetUserData(parser.get(), &progress);
  XML_SetEntityDeclHandler(parser.get(), on_entity);
  constexpr std::size_t kPiece = 1 << 20;
  while (true) {
    base::Bytes piece = text.substr(0, kPiece);
    text.remove_prefix(piece.size());
    if (XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()), text.empty()) !=
        XML_STATUS_OK) {
      std::string line = str("line ", XML_GetCurrentLineNumber(parser.get()), ": ");
      if (progress.entity) return fail(Fault::failed, line + "it declares entities");
      return fail(Fault::failed, line + XML_ErrorString(XML_GetErrorCode(parser.get())));
    }
    if (text.empty()) return {};
  }
}

Result<> well_formed_json(base::Bytes text) {
  boost::json::parse_options options;
  options.max_depth = 256;
  boost::json::basic_parser<Anything> parser(options);
  boost::json::error_code wrong;
  std::size_t read = parser.write_some(false, text.data(), text.size(), wrong);
  // White space may follow it.
  if (!wrong && text.find_first_not_of(" \t\r\n", read) != base::Bytes::npos)
    wrong = boost::json::error::extra_data;
  if (!wrong) return {};
  std::size_t lines = 1;
  for (char c : text.substr(0, read)) lines += c == '\n';
  return fail(Fault::failed, str("line ", lines, ": ", wrong.message()));
}

}  // namespace oob::snapshot
