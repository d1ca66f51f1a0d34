#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes a man page's source with the files in it that it names, so that what is printed is what is installed and tested.

    include-files.py PAGE.scd >WHOLE-PAGE.scd

A line "@include FILE" (relative to the page) stands for the text of that file. It is to stand in a literal block,
where all but the backslash means itself.
"""

import pathlib
import sys


def main():
    page = pathlib.Path(sys.argv[1])
    literal = False
    for line in page.read_text().splitlines():
        literal ^= line == '```'
        if not line.startswith('@include '):
            print(line)
            continue
        text = (page.parent / line.removeprefix('@include ').strip()).read_text()
        if not literal or '```' in text:
            sys.exit(f'{page}: {line}: would not be shown as it is')
        print(text.replace('\\', '\\\\').rstrip('\n'))


main()
