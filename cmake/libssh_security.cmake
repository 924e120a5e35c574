# libssh before Debian's 0.10.6-0+deb12u3 can be crashed or misled by a stranger before authentication
# (CVE-2026-59843, -59847, -59850 and others): refuse to build against it. Elsewhere the upstream version decides.
find_program(DPKG_QUERY dpkg-query)
if(DPKG_QUERY)
  execute_process(COMMAND ${DPKG_QUERY} -W -f=\${Version} libssh-dev
    OUTPUT_VARIABLE LIBSSH_PACKAGE RESULT_VARIABLE status ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(LIBSSH_PACKAGE "")
  endif()
endif()
if(LIBSSH_PACKAGE)
  execute_process(COMMAND dpkg --compare-versions ${LIBSSH_PACKAGE} ge 0.10.6-0+deb12u3 RESULT_VARIABLE older)
  if(older)
    message(FATAL_ERROR "libssh-dev ${LIBSSH_PACKAGE} has known holes: 0.10.6-0+deb12u3 or newer is needed "
      "(apt-get install libssh-dev from bookworm-security)")
  endif()
elseif(LIBSSH_VERSION VERSION_LESS 0.11.4)
  message(FATAL_ERROR "libssh ${LIBSSH_VERSION} has known holes: 0.11.4 or newer is needed, or Debian's 0.10.6-0+deb12u3")
endif()
message(STATUS "libssh ${LIBSSH_VERSION} ${LIBSSH_PACKAGE}")
