#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace oob::snapshot {

// Whether it is one well-formed document, whole; nothing outside of it is read. The error says where it is
// not: "line 3: no element found".
// XML 1.0. What declares entities of its own is refused: no configuration does, and they can grow without
// end.
base::Result<> well_formed_xml(base::Bytes text);
// RFC 8259.
base::Result<> well_formed_json(base::Bytes text);

}  // namespace oob::snapshot
