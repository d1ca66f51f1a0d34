#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Packs the extension for one user, to be given to `gnome-extensions install`.

    pack.py ZIP MSGFMT COMPILE_SCHEMAS PO_DIRECTORY METADATA SCHEMA FILE... lib/ FILE... icons/ FILE...

With what an installation finds in other places: the compiled schema, and the translations. The same files give the same
ZIP, to the byte.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)  # where the time of a ZIP begins


def translations(msgfmt, po_directory):
    for language in re.sub(r'#.*', '', (po_directory / 'LINGUAS').read_text()).split():
        compiled = subprocess.run([msgfmt, '--output-file=-', po_directory / f'{language}.po'], check=True, stdout=subprocess.PIPE)
        yield f'locale/{language}/LC_MESSAGES/prp-relay.mo', compiled.stdout


def schemas(compile_schemas, schema):
    yield f'schemas/{schema.name}', schema.read_bytes()
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / schema.name).write_bytes(schema.read_bytes())
        subprocess.run([compile_schemas, '--strict', directory], check=True)
        yield 'schemas/gschemas.compiled', (pathlib.Path(directory) / 'gschemas.compiled').read_bytes()


def files(arguments):
    folder = ''
    for argument in arguments:
        if argument.endswith('/'):
            folder = argument
        else:
            yield folder + pathlib.Path(argument).name, pathlib.Path(argument).read_bytes()


def main():
    target, msgfmt, compile_schemas, po_directory, metadata, schema = sys.argv[1:7]
    members = {
        'metadata.json': pathlib.Path(metadata).read_bytes(),
        **dict(schemas(compile_schemas, pathlib.Path(schema))),
        **dict(translations(msgfmt, pathlib.Path(po_directory))),
        **dict(files(sys.argv[7:])),
    }
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(members.items()):
            member = zipfile.ZipInfo(name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)


if __name__ == '__main__':
    main()
