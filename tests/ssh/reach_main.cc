// The SSH client alone, for tests: descriptor 3 is its socket, and it is less patient than the real one.
#include "ssh/reach.h"

int main() {
  return oob::ssh::run_reach(3, {oob::base::milliseconds(2000), oob::base::milliseconds(10'000)});
}
