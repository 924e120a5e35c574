#include "snapshot/packing.h"

#include <git2/sys/odb_backend.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace oob::snapshot {

namespace fs = std::filesystem;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

struct Packed {
  std::string stem;  // its path without ".idx"
  std::vector<git_oid> objects;
};

int on_object(const git_oid* id, void* to) {
  static_cast<std::vector<git_oid>*>(to)->push_back(*id);
  return 0;
}

Result<Packed> read_pack(const Repository& repository, const std::string& index) {
  git_odb_backend* backend = nullptr;
  GitOdb odb;
  if (git_odb_new(Out(odb)) < 0 || git_odb_backend_one_pack(&backend, index.c_str()) < 0)
    return repository.failure(str("read ", index));
  if (git_odb_add_backend(odb.get(), backend, 1) < 0) {
    backend->free(backend);
    return repository.failure(str("read ", index));
  }
  Packed pack{index.substr(0, index.size() - 4), {}};
  if (git_odb_foreach(odb.get(), on_object, &pack.objects) < 0)
    return repository.failure(str("read ", index));
  return pack;
}

// All of them by their paths: objects/12/3456….
std::vector<std::pair<git_oid, std::string>> loose_objects(const Repository& repository) {
  std::vector<std::pair<git_oid, std::string>> found;
  std::error_code wrong;
  for (fs::directory_iterator folder(repository.path() + "/objects", wrong), end; !wrong && folder != end;
       folder.increment(wrong)) {
    std::string first = folder->path().filename();
    if (first.size() != 2) continue;
    std::error_code inner;
    for (fs::directory_iterator file(folder->path(), inner); !inner && file != end; file.increment(inner)) {
      std::string name = first + file->path().filename().string();
      git_oid id;
      if (name.size() == GIT_OID_HEXSZ && git_oid_fromstr(&id, name.c_str()) == 0)
        found.emplace_back(id, file->path());
    }
  }
  return found;
}

Result<std::vector<Packed>> packs_of(const Repository& repository) {
  std::vector<Packed> packs;
  std::error_code wrong;
  for (fs::directory_iterator file(repository.path() + "/objects/pack", wrong), end; !wrong && file != end;
       file.increment(wrong)) {
    if (file->path().extension() != ".idx") continue;
    fs::path keep = file->path();
    if (fs::exists(keep.replace_extension(".keep"), wrong)) continue;
    Result<Packed> pack = read_pack(repository, file->path());
    if (!pack) return pack.error();
    packs.push_back(std::move(*pack));
  }
  std::sort(packs.begin(), packs.end(),
            [](const Packed& a, const Packed& b) { return a.objects.size() < b.objects.size(); });
  return packs;
}

bool less(const git_oid& a, const git_oid& b) { return git_oid_cmp(&a, &b) < 0; }
bool equal(const git_oid& a, const git_oid& b) { return git_oid_equal(&a, &b); }

}  // namespace

std::size_t count_loose(const Repository& repository) { return loose_objects(repository).size(); }

std::size_t count_packs(const Repository& repository) {
  std::size_t count = 0;
  std::error_code wrong;
  for (fs::directory_iterator file(repository.path() + "/objects/pack", wrong), end; !wrong && file != end;
       file.increment(wrong))
    count += file->path().extension() == ".idx";
  return count;
}

Result<> pack(Repository& repository, const Step& step) {
  auto loose = loose_objects(repository);
  Result<std::vector<Packed>> packs = packs_of(repository);
  if (!packs) return packs.error();
  std::vector<git_oid> objects;
  for (const auto& [id, path] : loose) objects.push_back(id);
  std::vector<std::string> merged;
  for (const Packed& old : *packs) {
    bool much_larger = !objects.empty() && old.objects.size() > 2 * objects.size();
    if (old.objects.size() >= kFullPack || objects.size() >= kFullPack || much_larger) break;
    objects.insert(objects.end(), old.objects.begin(), old.objects.end());
    merged.push_back(old.stem);
  }
  if (loose.empty() && merged.size() < 2) return {};
  std::sort(objects.begin(), objects.end(), less);
  objects.erase(std::unique(objects.begin(), objects.end(), equal), objects.end());

  GitPack builder;
  if (git_packbuilder_new(Out(builder), repository.get()) < 0) return repository.failure("pack");
  git_packbuilder_set_threads(builder.get(), 1);  // consoles come first
  for (const git_oid& id : objects)
    if (git_packbuilder_insert(builder.get(), &id, nullptr) < 0) return repository.failure("pack");
  step("pack.write");
  if (git_packbuilder_write(builder.get(), nullptr, 0, nullptr, nullptr) < 0)
    return repository.failure("pack");
  std::string stem = str(repository.path(), "/objects/pack/pack-", git_packbuilder_name(builder.get()));
  builder.reset();
  Result<Packed> written = read_pack(repository, stem + ".idx");
  if (!written) return written.error();
  std::sort(written->objects.begin(), written->objects.end(), less);
  if (!std::includes(written->objects.begin(), written->objects.end(), objects.begin(), objects.end(), less))
    return fail(Fault::failed, str(repository.path(), ": pack: ", stem, " lacks what was put into it"));
  if (git_odb_refresh(repository.odb()) < 0) return repository.failure("pack");

  std::error_code ignored;  // what can't be removed is there twice
  for (const std::string& old : merged) {
    if (old == stem) continue;
    step("pack.drop");
    fs::remove(old + ".idx", ignored);  // first, so that nobody finds an index without its pack
    step("pack.drop");
    fs::remove(old + ".pack", ignored);
  }
  for (const auto& [id, path] : loose) {
    step("loose.drop");
    fs::remove(path, ignored);
  }
  if (git_odb_refresh(repository.odb()) < 0) return repository.failure("pack");
  return {};
}

}  // namespace oob::snapshot
