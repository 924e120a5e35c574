#pragma once

#include "base/secret.h"

namespace oob::ipmi {

using base::same;
using base::Secret;

}  // namespace oob::ipmi
