"""Plants each fault in a small copy and sees the check find it, and find nothing in the copy before."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        for name in (".clang-format", "CMakeLists.txt", "cmake/debian-packages.txt", "tests/CMakeLists.txt",
                     "etc/oobd.service"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.write("base/bytes.h", "#pragma once\n\n#include <string>\n")
        self.write("console/line.h", '#pragma once\n\n#include "base/bytes.h"\n')
        self.write("tests/console/line_test.cc", '#include "console/line.h"\n#include "tests/support/support.h"\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_check(self, check):
        run = subprocess.run([sys.executable, HERE / f"{check}.py", self.root], stdout=subprocess.PIPE, text=True)
        return run.returncode, run.stdout

    def passes(self, check):
        status, said = self.run_check(check)
        self.assertEqual((status, said), (0, ""))

    def fails(self, check, *words):
        status, said = self.run_check(check)
        self.assertEqual(status, 1, said)
        for word in words:
            self.assertIn(word, said)

    def test_a_tree_as_it_should_be_passes_every_check(self):
        for check in ("floors", "co_await", "format", "sizes", "packages", "unit"):
            with self.subTest(check):
                self.passes(check)

    def test_a_folder_that_includes_a_floor_above_is_found(self):
        self.write("console/line.cc", '#include "console/line.h"\n\n#include "serial/uart.h"\n')
        self.fails("floors", "console/line.cc:3", "serial/ is a floor above it")

    def test_a_folder_that_includes_a_neighbour_is_found(self):
        self.write("serial/uart.cc", '#include "ssh/front.h"\n')
        self.write("ssh/front.cc", '  #  include "auth/policy.h"\n')
        self.fails("floors", "serial/uart.cc:1", "ssh/ is a neighbour", "ssh/front.cc:1", "auth/ is a neighbour")

    def test_a_test_that_reaches_above_its_floor_is_found(self):
        self.write("tests/auth/policy_test.cc", '#include "console/line.h"\n')
        self.fails("floors", "tests/auth/policy_test.cc:1")

    def test_a_program_that_includes_its_tests_is_found(self):
        self.write("oobd/demo.cc", '#include "tests/support/support.h"\n')
        self.fails("floors", "the program does not know its tests")

    def test_an_include_that_is_not_from_the_root_is_found(self):
        self.write("console/line.cc", '#include "line.h"\n')
        self.fails("floors", "not named from the root")

    def test_a_foreign_library_outside_its_floor_is_found(self):
        self.write("tests/console/line_test.cc", "#include <toml++/toml.h>\n")
        self.passes("floors")
        self.write("console/line.cc", "#include <libssh/server.h>\n#include <boost/asio.hpp>\n")
        self.fails("floors", "belongs to ssh/ alone", "console/line.cc:2")

    def test_a_folder_that_is_no_floor_is_found(self):
        self.write("util/strings.cc", "\n")
        self.fails("floors", "util/")

    def test_a_brace_inside_a_co_await_is_found_across_lines(self):
        self.write("console/line.cc", 'auto f() {\n  auto r = co_await commit(\n      Entry{"x"});\n}\n')
        self.fails("co_await", "console/line.cc:2")

    def test_a_lambda_inside_a_co_await_is_found(self):
        self.write("console/line.h", "auto r = co_await call([key] { return key; });\n")
        self.fails("co_await", "console/line.h:1")

    def test_braces_in_comments_and_texts_near_a_co_await_are_not_taken_for_code(self):
        self.write("console/line.cc",
                   '// co_await x{}\nauto r = co_await call("{[", \'{\', R"({")", 10\'000 /* { */);\n'
                   "const char* t = \"co_await {\";\nif (r) {\n}\n")
        self.passes("co_await")

    def test_a_file_that_is_not_formatted_is_found(self):
        self.write("console/line.cc", "int  main( ){return 0 ;}\n")
        self.fails("format", "console/line.cc:1")

    def test_a_file_that_is_too_long_is_found(self):
        self.write("console/line.cc", "\n" * 601)
        self.fails("sizes", "console/line.cc", "601 lines")

    def test_a_package_that_is_missing_is_found(self):
        listed = self.root / "cmake/debian-packages.txt"
        listed.write_text(listed.read_text().replace("build libboost-json1.81-dev\n", ""))
        self.fails("packages", "CMakeLists.txt:", "Boost json", "libboost-json1.81-dev")

    def test_a_library_of_which_no_package_is_known_is_found(self):
        with open(self.root / "CMakeLists.txt", "a") as script:
            script.write("pkg_check_modules(SSH2 REQUIRED IMPORTED_TARGET libssh2>=1)\n")
        self.fails("packages", "which package brings libssh2")

    def test_a_list_that_is_not_sorted_is_found(self):
        listed = self.root / "cmake/debian-packages.txt"
        listed.write_text(listed.read_text() + "build autoconf\n")
        self.fails("packages", "not sorted")

    def test_a_unit_that_is_more_exposed_is_found(self):
        unit = self.root / "etc/oobd.service"
        unit.write_text(unit.read_text().replace("NoNewPrivileges=true\n", ""))
        self.fails("unit", "Overall exposure", "NoNewPrivileges=")

    def test_a_unit_with_a_word_that_systemd_does_not_know_is_found(self):
        unit = self.root / "etc/oobd.service"
        unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSeconds="))
        self.fails("unit", "WatchdogSeconds")


if __name__ == "__main__":
    unittest.main()
