#include "ipmi/link.h"

namespace oob::ipmi {

using base::fail;
using base::Fault;

Result<Response> done_or_error(std::string_view what, Result<Response> response) {
  if (!response) return base::wrap(what, response.error());
  if (response->completion == 0) return response;
  Fault fault = response->completion == 0xd4   ? Fault::denied
                : response->completion == 0xc0 ? Fault::busy
                                               : Fault::failed;
  return fail(fault, base::str(what, ": ", completion_text(response->completion)));
}

}  // namespace oob::ipmi
