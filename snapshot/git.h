#pragma once

#include <git2.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace oob::snapshot {

// libgit2's handles, freed where they go. Those of one repository are used by one thread.
template <class T, void (*free)(T*)>
struct Freed {
  void operator()(T* handle) const { free(handle); }
};
template <class T, void (*free)(T*)>
using Handle = std::unique_ptr<T, Freed<T, free>>;

using GitRepository = Handle<git_repository, git_repository_free>;
using GitOdb = Handle<git_odb, git_odb_free>;
using GitOdbObject = Handle<git_odb_object, git_odb_object_free>;
using GitCommit = Handle<git_commit, git_commit_free>;
using GitTree = Handle<git_tree, git_tree_free>;
using GitTreeEntry = Handle<git_tree_entry, git_tree_entry_free>;
using GitBuilder = Handle<git_treebuilder, git_treebuilder_free>;
using GitBlob = Handle<git_blob, git_blob_free>;
using GitReference = Handle<git_reference, git_reference_free>;
using GitReferences = Handle<git_reference_iterator, git_reference_iterator_free>;
using GitSignature = Handle<git_signature, git_signature_free>;
using GitConfig = Handle<git_config, git_config_free>;
using GitPatch = Handle<git_patch, git_patch_free>;
using GitPack = Handle<git_packbuilder, git_packbuilder_free>;

// Takes what a function of libgit2 gives by its first argument: git_blob_lookup(Out(blob), …). The handle has
// it after the whole expression.
template <class H>
class Out {
 public:
  explicit Out(H& handle) : handle_(handle) {}
  ~Out() { handle_.reset(raw_); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  operator typename H::element_type **() { return &raw_; }

 private:
  H& handle_;
  typename H::element_type* raw_ = nullptr;
};

// The library itself, while it lives: what is written is synced, what is read is checked, and no
// configuration but a repository's own counts.
class Git {
 public:
  Git();
  ~Git();
  Git(const Git&) = delete;
  Git& operator=(const Git&) = delete;
};

// What libgit2 says of its last failure, after what was being done.
base::Error git_failure(std::string_view doing);

std::string hex_of(const git_oid& id);  // 40 digits

}  // namespace oob::snapshot
