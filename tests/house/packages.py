"""cmake/debian-packages.txt is sorted, and has the package of everything the CMake files look for."""

import re

import sources

# What the CMake files look for, and the packages that bring it.
BRINGS = {
    "Boost": ["libboost1.81-dev"],
    "Boost json": ["libboost-json1.81-dev"],
    "GTest": ["libgtest-dev", "libgmock-dev"],
    "OpenSSL": ["libssl-dev"],
    "PkgConfig": ["pkg-config"],
    "Python3": ["python3"],
    "Threads": [],
    "expat": ["libexpat1-dev"],
    "libcurl": ["libcurl4-openssl-dev"],
    "libgit2": ["libgit2-dev"],
    "libseccomp": ["libseccomp-dev"],
    "libserialport": ["libserialport-dev"],
    "libssh": ["libssh-dev"],
    "re2": ["libre2-dev"],
    "tomlplusplus": ["libtomlplusplus-dev"],
    "vterm": ["libvterm-dev"],
    "zlib": ["zlib1g-dev"],
}
LIST = "cmake/debian-packages.txt"
FIND = re.compile(r"\bfind_package\(\s*(\w+)([^)]*)\)|\bpkg_check_modules\(\s*\w+([^)]*)\)")


def wanted(arguments, package, modules):
    if package:
        yield package
        words = arguments.split()
        if "COMPONENTS" in words and package == "Boost":
            for component in words[words.index("COMPONENTS") + 1:]:
                yield f"Boost {component}"
        return
    for module in modules.split():
        if module not in ("REQUIRED", "IMPORTED_TARGET", "QUIET"):
            yield re.split("[<>=]", module)[0]


def check(root):
    lines = (root / LIST).read_text().splitlines()
    rows = [line for line in lines if line and not line.startswith("#")]
    if rows != sorted(set(rows)):
        yield f"{LIST}: is not sorted, or has a line twice"
    listed = set()
    for row in rows:
        words = row.split()
        if len(words) != 2:
            yield f'{LIST}: "{row}" is not GROUP PACKAGE'
        listed.add(words[-1])
    scripts = [root / "CMakeLists.txt", *sorted((root / "cmake").glob("*.cmake")),
               *sorted((root / "tests").rglob("CMakeLists.txt"))]
    for path in scripts:
        text = re.sub(r"#[^\n]*", "", path.read_text())
        for found in FIND.finditer(text):
            place = f"{path.relative_to(root)}:{sources.line_of(text, found.start())}"
            for what in wanted(found[2], found[1], found[3]):
                if what not in BRINGS:
                    yield f"{place}: nobody knows which package brings {what}: add it to tests/house/packages.py"
                for package in BRINGS.get(what, []):
                    if package not in listed:
                        yield f"{place}: {what} is looked for, but {LIST} lacks {package}"


if __name__ == "__main__":
    sources.main(check)
