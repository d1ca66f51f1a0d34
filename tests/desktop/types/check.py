#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the extension for GNOME Shell 45 and later against the types of the Shell: there is none of these to run it in.

    check.py SOURCE DIRECTORY     a directory to work in, kept for the next time

Each folder beside this file is a version of the Shell: what is to be installed from npm's registry, to the letter. The
extension is laid out as it is installed, and given to the TypeScript compiler, which reads the types in its comments;
then once more with a mistake in it, which has to be found. Speaks TAP.
"""

import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
NPM_VERSION = '10.9.2'  # where there is only an older one
NPM_OPTIONS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--fetch-retries=5']
# What none of the versions would take: a member that there is not, an argument of another type.
MISTAKES = {
    "import * as Main from 'resource:///org/gnome/shell/ui/main.js';\nMain.panel.removeFromStatusArea('x');\n": 'TS2339',
    "import {Model} from './lib/model.js';\nnew Model().setUrl(1);\n": 'TS2345',
    "import St from 'gi://St';\nnew St.Label({text: 1});\n": 'TS2322',
}


class Failure(Exception):
    pass


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          errors='replace', check=False, **options)
    return done.returncode, done.stdout


def install(version, place):
    """node_modules, as package-lock.json has it; not again where that has not changed."""
    stamp = place / 'installed.json'
    lock = (HERE / version / 'package-lock.json').read_bytes()
    if stamp.exists() and stamp.read_bytes() == lock:
        return
    npm = shutil.which('npm')
    if npm is None:
        raise Failure('npm is not installed')
    stamp.unlink(missing_ok=True)
    place.mkdir(parents=True, exist_ok=True)
    for name in ('package.json', 'package-lock.json'):
        shutil.copy(HERE / version / name, place)
    # Debian's own (9) does not find in the lock what the overrides of package.json say, but it can fetch one that does.
    major = re.search(r'^(\d+)\.', run(npm, '--version')[1], re.MULTILINE)
    command = [npm] if major and int(major[1]) >= 10 else [npm, 'exec', '--yes', f'npm@{NPM_VERSION}', '--']
    status, output = run(*command, 'ci', *NPM_OPTIONS, cwd=place)
    if status != 0:
        raise Failure(f'npm ended with {status}:\n{output}')
    stamp.write_bytes(lock)


def lay_out(source, place):
    """The extension as it is installed, in a folder below the types."""
    extension = place / 'extension'
    shutil.rmtree(extension, ignore_errors=True)
    shutil.copytree(source / 'data/gnome-shell/lib', extension / 'lib')
    for file in [*(source / 'data/gnome-shell/modern').glob('*.js'), *HERE.glob('*.d.ts'), HERE / 'tsconfig.json']:
        shutil.copy(file, extension)
    return extension


def compile_types(place, extension):
    return run(place / 'node_modules/.bin/tsc', '--project', extension, '--pretty', 'false', cwd=place)


def check_clean(place, extension):
    status, output = compile_types(place, extension)
    if status != 0:
        raise Failure(output)


def check_mistakes(place, extension):
    for number, text in enumerate(MISTAKES):
        (extension / f'mistake-{number}.js').write_text(text)
    status, output = compile_types(place, extension)
    for number, code in enumerate(MISTAKES.values()):
        if status == 0 or not any(line.startswith(f'extension/mistake-{number}.js(') and code in line
                                  for line in output.splitlines()):
            raise Failure(f'mistake {number} ({code}) was not found:\n{output}')


def main():
    source, work = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    versions = sorted(path.name for path in HERE.iterdir() if (path / 'package-lock.json').is_file())
    checks = [(check_clean, 'fits'), (check_mistakes, 'would not fit with mistakes in it')]
    failed = not versions
    print(f'1..{len(versions) * len(checks)}')
    for i, version in enumerate(versions):
        place = work / version
        for j, (check, title) in enumerate(checks, 1):
            number = i * len(checks) + j
            try:
                install(version, place)
                check(place, lay_out(source, place))
                print(f'ok {number} - the extension {title}: GNOME Shell {version}', flush=True)
            except (Failure, OSError) as error:
                failed = True
                for line in str(error).splitlines():
                    print(f'# {line}')
                print(f'not ok {number} - the extension {title}: GNOME Shell {version}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
