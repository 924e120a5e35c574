#include "ssh/sandbox.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <ctime>

#include "base/landlock.h"
#include "ssh/seccomp.h"

namespace oob::ssh {

std::string enter_sandbox(int control) {
  // What the libraries look for in files when they first need it: openssl.cnf, /etc/localtime, a seed.
  ::OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  unsigned char seed[1];
  ::RAND_bytes(seed, sizeof seed);
  ::tzset();
  if (!sandbox_fits_build()) return "MISSING: seccomp and Landlock (built with a sanitizer)";
  std::string files = base::landlock({});  // first: its calls are not on seccomp's list
  return base::str(allow_only_serving(control), ", ", files);
}

}  // namespace oob::ssh
