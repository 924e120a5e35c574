// The front alone, for tests: descriptor 3 is the control socket, and its patience is given in milliseconds
// as LOOK VERDICT KEEPALIVE SILENT UNUSED CIRCUIT.
#include <cstdlib>

#include "ssh/front.h"

int main(int count, char** arguments) {
  oob::ssh::Patience patience;
  oob::base::milliseconds* times[] = {&patience.look,   &patience.verdict, &patience.keepalive,
                                      &patience.silent, &patience.unused,  &patience.circuit};
  for (int i = 1; i < count && i <= 6; ++i) *times[i - 1] = oob::base::milliseconds(std::atol(arguments[i]));
  return oob::ssh::run_front(3, patience);
}
