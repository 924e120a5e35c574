#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace oob::base {

// What went wrong, in kinds a caller may act on. The numbers are the exit statuses that people and scripts
// see (sysexits.h where it has one); those from 200 on never leave the program.
enum class Fault : int {
  failed = 1,        // the answer is no
  usage = 64,        // asked wrongly
  missing = 66,      // no such device, session or revision, or none one may see
  unavailable = 69,  // the device does not answer
  internal = 70,     // ours
  journal = 74,      // could not be written down, so it was not done
  busy = 75,         // somebody else is typing
  denied = 77,       // not permitted
  config = 78,       // configuration is at fault
  again = 200,       // nothing to read, or no room to write, just now
  end = 201,         // the other side closed
};

// `what` is read by an operator at night: outermost first, values included, nothing a peer sent unescaped.
struct Error {
  Fault fault = Fault::internal;
  std::string what;
};

// A value or an Error. Ask with if (!result); take with *result; never call value() unasked.
template <class T = void>
using Result = boost::system::result<T, Error>;

inline Error fail(Fault fault, std::string what) { return Error{fault, std::move(what)}; }

// Puts what was being done before what went wrong: wrap("r1: open", error) -> "r1: open: No such device".
inline Error wrap(std::string_view doing, Error error) {
  return Error{error.fault, str(doing, ": ", error.what)};
}

// The same for a failed system call, from errno or the number given.
Error system_error(std::string_view doing, int number);
Error system_error(std::string_view doing);

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("value() of a failed result: " + error.what);
}

}  // namespace oob::base
