#pragma once

#include <cstddef>
#include <optional>

namespace oob::base {

// Bytes that were written to this TCP socket and that its peer's TCP has not acknowledged, sent or not
// (Linux: SIOCOUTQ, tcp(7); FreeBSD: FIONWRITE). Nothing where the system does not tell.
std::optional<std::size_t> unacknowledged(int fd);

}  // namespace oob::base
