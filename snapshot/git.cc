#include "snapshot/git.h"

#include <cerrno>
#include <system_error>

namespace oob::snapshot {

Git::Git() {
  // Once for all: others may be at work on threads of their own.
  if (git_libgit2_init() > 1) return;
  for (int level :
       {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL})
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
  git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "");
  git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
  git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
  git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
  // The path is ours and named by nobody else, and no hook is ever run: root may look at what another user's
  // daemon has written.
  git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, static_cast<ssize_t>(8) << 20);
}

Git::~Git() { git_libgit2_shutdown(); }

base::Error git_failure(std::string_view doing) {
  int number = errno;
  const git_error* last = git_error_last();
  // It is silent about writes that fail.
  std::string why = last && last->message ? base::printable(last->message)
                    : number              ? std::generic_category().message(number)
                                          : "libgit2 does not say why";
  return base::fail(base::Fault::failed, base::str(doing, ": ", why));
}

std::string hex_of(const git_oid& id) {
  char text[GIT_OID_HEXSZ];
  git_oid_fmt(text, &id);
  return std::string(text, sizeof text);
}

}  // namespace oob::snapshot
