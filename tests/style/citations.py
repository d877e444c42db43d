#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each page and section that the tree cites exists. A comment cites a page as docs/PAGE.md, and a section of it as
docs/PAGE.md, SECTION: after the comma the exact heading, which begins with a capital letter. TAP on standard output.

    citations.py SOURCE-ROOT
"""

import os
import re
import subprocess
import sys

CODE = (".c", ".h", ".x", ".py", ".pml", ".build", ".in", ".conf", ".sh")
# The margin of a comment's next line is not part of its text.
MARGIN = re.compile(r"\n[ \t]*(?:\*(?!/)|#|//)?[ \t]*")
PAGE = re.compile(r"docs/[\w.-]*\w\.md")
SECTION = re.compile(r"(docs/[\w.-]*\w\.md), ([A-Z])")
# Texts that are not in this repository, so that a reader cannot find them.
ABSENT = re.compile(r"\b[Rr]eference: |\bweakness [0-9]")
NAMED = re.compile(r"(?<![\w/.-])[\w.-]*\w\.md\b")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def files(root):
    """The files in git; without git, all files of the tree."""
    try:
        out = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=True).stdout
        return [name for name in out.splitlines() if os.path.isfile(os.path.join(root, name))]
    except (OSError, subprocess.CalledProcessError):
        pass
    found = []
    for folder in ("src", "protocol", "tests", "scripts", "docs"):
        for base, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(base, name), root) for name in names]
    return found + [name for name in os.listdir(root) if name.endswith(".md")]


def is_code(name):
    return name.startswith(("src/", "protocol/", "tests/", "scripts/")) and (
        name.endswith(CODE) or "." not in os.path.basename(name))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def headings(root, page):
    """The headings of a page, outside of fenced blocks."""
    text = re.sub(r"^```.*?^```", "", read(root, page), flags=re.M | re.S)
    return [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]


def check_pages(root, texts):
    for name, text in texts:
        for page in sorted(set(PAGE.findall(text))):
            if not os.path.isfile(os.path.join(root, page)):
                yield f"{name}: {page} does not exist"


def check_sections(root, texts):
    known = {}
    for name, text in texts:
        for match in SECTION.finditer(text):
            page, rest = match.group(1), text[match.start(2):]
            if not os.path.isfile(os.path.join(root, page)):
                continue
            known.setdefault(page, headings(root, page))
            if not any(rest.startswith(heading) for heading in known[page]):
                yield f"{name}: {page} has no section that begins '{rest[:40]}'"


def check_absent(root, texts):
    for name, text in texts:
        for page in sorted(set(NAMED.findall(text))):
            if not any(os.path.isfile(os.path.join(root, folder, page)) for folder in ("", "docs")):
                yield f"{name}: {page} is not in this repository"
        for match in ABSENT.finditer(text):
            yield f"{name}: cites what is not here: '{text[max(0, match.start() - 20):match.end() + 30]}'"


def check_links(root, documents):
    for name, text in documents:
        for link in LINK.findall(text):
            if "://" not in link and not os.path.exists(os.path.join(root, os.path.dirname(name), link)):
                yield f"{name}: the link to {link} leads nowhere"


def main():
    root = sys.argv[1]
    names = [name for name in files(root) if name != "tests/style/citations.py"]
    code = [(name, MARGIN.sub(" ", read(root, name))) for name in names if is_code(name)]
    documents = [(name, read(root, name)) for name in names if name.endswith(".md")]
    points = (
        ("each cited page exists", check_pages(root, code + documents)),
        ("each cited section exists", check_sections(root, code + documents)),
        ("what is not in this repository is not cited", check_absent(root, code)),
        ("each link of a document leads to a file", check_links(root, documents)),
    )
    print(f"1..{len(points)}")
    failed = 0
    for number, (title, wrong) in enumerate(points, 1):
        wrong = list(wrong)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {title}")
        for line in wrong:
            print(f"# {line}")
    return 1 if failed or len(code) < 100 or len(documents) < 10 else 0


sys.exit(main())
