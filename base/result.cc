#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace oob::base {

Error system_error(std::string_view doing, int number) {
  Fault fault = number == EAGAIN ? Fault::again : Fault::unavailable;
  return Error{fault, str(doing, ": ", std::generic_category().message(number))};
}

Error system_error(std::string_view doing) { return system_error(doing, errno); }

}  // namespace oob::base
