#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "snapshot/repository.h"

namespace oob::snapshot {

// Called before each step that changes a disk, by its name: where tests kill it.
using Step = std::function<void(std::string_view)>;

constexpr std::size_t kLooseAtMost =
    256;                                  // more objects than this in files of their own, and they are packed
constexpr std::size_t kPacksAtMost = 32;  // more packs than this, and the smallest are made into one
constexpr std::size_t kFullPack = 4096;   // objects; a pack that has as many stays as it is

std::size_t count_loose(const Repository& repository);
std::size_t count_packs(const Repository& repository);

// Puts all loose objects into one pack, together with the newest packs that are not much larger than it, so
// that the number of packs grows with the logarithm of what there is and then by one in kFullPack. What
// nothing refers to any more stays as well. The old copies go when the new pack is on the disk and has them
// all: no object is lost, wherever it is killed. Those who read it at the same time don't notice.
base::Result<> pack(Repository& repository, const Step& step);

}  // namespace oob::snapshot
