#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks what a packager gets: the installed files, the units, the man pages, the messages to translate, the scripts.

    tests/packaging.py SOURCE BUILD NAME=DIRECTORY...    the directories that meson.build installs to, as in installed.txt

Speaks TAP, a test per check. Everything is installed below a temporary DESTDIR; nothing outside of it is written.
"""

import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

SCRIPTS = ['tests/run', 'data/demo', '.ci/run', 'data/prp-relay-sandbox', 'data/examples/catch-up.sh',
           'data/examples/on-completed.sh', 'data/examples/one-liners.sh',
           'data/completions/prpctl.bash', 'data/completions/prp-simulator.bash']
MESSAGE = re.compile(r'\b(?:_|N_|C_|NC_|Q_|ngettext|gettext|g_dngettext)\s*\(')
OUR_PAGES = ('prp', 'relay.conf', 'dev.prp.')


class Skip(Exception):
    pass


def need(program):
    path = shutil.which(program)
    if path is None:
        raise Skip(f'{program} is not installed')
    return path


def run(*command, **options):
    """(exit status, standard output and error together)"""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          errors='replace', check=False, **options)
    return done.returncode, done.stdout


def extension_faults(what, files):
    """What would keep the Shell from loading an extension of these files."""
    metadata = json.loads(files['metadata.json'])
    is_legacy = b'function init(' in files['extension.js']
    if is_legacy == (b'export default class' in files['extension.js']):
        yield f'{what}: extension.js is neither in the old form nor in the new one, or in both'
    if is_legacy == (b'export default class' in files['prefs.js']):
        yield f'{what}: prefs.js is not in the form of extension.js'
    if not metadata['shell-version'] or any((int(version) < 45) != is_legacy for version in metadata['shell-version']):
        yield f'{what}: these entries are not for GNOME Shell {metadata["shell-version"]}'
    if what == 'legacy' and not is_legacy:
        yield f'{what}: has the entries of the other one'
    for name, data in files.items():
        for path in re.findall(r"'(\./[\w./-]+\.js)'", data.decode(errors='replace')) if name.endswith('.js') else []:
            if (pathlib.PurePosixPath(name).parent / path).as_posix() not in files:
                yield f'{what}: {name} imports {path}, which is not there'
    for icon in re.findall(r"'(prp-relay-[\w-]+-symbolic)'", files['lib/indicator.js'].decode()):
        if f'icons/{icon}.svg' not in files:
            yield f'{what}: there is no icon {icon}'


class Checks:
    def __init__(self, source, build, directories, scratch):
        self.source, self.build, self.directories = source, build, directories
        self.scratch = scratch
        self.root = scratch / 'root'
        self.man = 'mandir' in directories

    def installed(self, name, *parts):
        return self.root.joinpath(self.directories[name].lstrip('/'), *parts)

    def pages(self):
        return sorted(self.installed('mandir').glob('man*/*')) if self.man else []

    def check_install(self):
        """meson install writes the files of installed.txt, and no other"""
        status, output = run('meson', 'install', '--no-rebuild', '--quiet', '-C', self.build, '--destdir', self.root)
        if status != 0:
            yield from output.splitlines()
        found = {'/' + p.relative_to(self.root).as_posix() for p in self.root.rglob('*') if not p.is_dir()}
        wanted = set()
        for line in (self.source / 'tests/installed.txt').read_text().splitlines():
            # A directory that was not named: what goes there is not part of this build.
            if line.startswith('{') and line[1:line.index('}')] in self.directories:
                wanted.add(line.format_map(self.directories))
        yield from (f'not installed: {path}' for path in sorted(wanted - found))
        yield from (f'installed, but not on the list: {path}' for path in sorted(found - wanted))

    def check_no_build_path(self):
        """no installed text has a placeholder left, or a path of the build"""
        for path in (p for p in self.root.rglob('*') if p.is_file()):
            data = path.read_bytes()
            if not data.startswith(b'\x7fELF'):
                if re.search(rb'@\w+@', data):
                    yield f'{path}: a placeholder is left'
                for place in (self.build, self.source):
                    if os.fsencode(place) + b'/' in data:
                        yield f'{path}: names {place}'

    def units(self):
        return sorted(self.installed('userunitdir').glob('*.service'))

    def check_units(self):
        """systemd accepts the user units, and finds little that they expose"""
        analyze = need('systemd-analyze')
        # A home and a runtime directory of its own: the units of whoever runs the test are not part of it.
        home = self.scratch / 'home'
        unit_directory = home / '.config/systemd/user'
        unit_directory.mkdir(parents=True)
        # The programs are where they were installed to, and not where they will be; likewise the socket of the bus, which
        # a session without a bus of systemd's has not got.
        for unit in self.units():
            text = unit.read_text()
            for name in ('bindir', 'libexecdir'):
                text = text.replace(self.directories[name] + '/', f'{self.installed(name)}/')
            (unit_directory / unit.name).write_text(text)
        (unit_directory / 'dbus.socket').write_text('[Socket]\nListenStream=%t/bus\n')
        (unit_directory / 'dbus.service').write_text('[Service]\nExecStart=/bin/true\n')
        (home / 'run').mkdir(mode=0o700)
        environment = {**os.environ, 'HOME': str(home), 'XDG_RUNTIME_DIR': str(home / 'run'),
                       'XDG_CONFIG_HOME': str(home / '.config'), 'SYSTEMD_UNIT_PATH': f'{unit_directory}:/usr/lib/systemd/user'}
        for unit in self.units():
            path = str(unit_directory / unit.name)
            status, output = run(analyze, '--user', '--man=no', '--recursive-errors=no', 'verify', path, env=environment)
            if status != 0 or 'prp-' in output:
                yield from [f'{unit.name}: exit status {status}', *output.splitlines()]
            status, output = run(analyze, 'security', '--offline=true', '--threshold=30', '--no-pager', path, env=environment)
            if status != 0 or 'exposure level' not in output:
                yield from [f'{unit.name}: exit status {status}', *output.splitlines()]

    def check_activation(self):
        """the bus finds what starts the daemon"""
        service = configparser.ConfigParser()
        service.read(self.installed('dbusservicedir', 'dev.prp.Relay1.service'))
        section = service['D-BUS Service']
        if section['Name'] != 'dev.prp.Relay1':
            yield f'Name={section["Name"]}'
        if not self.installed('userunitdir', section['SystemdService']).is_file():
            yield f'SystemdService={section["SystemdService"]} is not installed'
        if not os.access(self.root.joinpath(section['Exec'].lstrip('/')), os.X_OK):
            yield f'Exec={section["Exec"]} is not installed'

    def check_man(self):
        """man pages: no warnings of the formatter"""
        need('man')
        if not self.man:
            raise Skip('built without man pages')
        for page in self.pages():
            status, output = run('man', '--warnings', '-E', 'UTF-8', '-Tutf8', '-Z', '-l', page,
                                 env={**os.environ, 'MANWIDTH': '100', 'LC_ALL': 'C.UTF-8'})
            noise = [line for line in output.splitlines() if 'warning' in line or line.startswith(('man:', 'troff:'))]
            if status != 0 or noise:
                yield from [f'{page.name}: exit status {status}', *noise]

    def check_man_examples(self):
        """prp-relay-history(7) shows the examples of its recipe as they are installed, to the letter"""
        need('man')
        if not self.man:
            raise Skip('built without man pages')
        status, output = run('man', '-E', 'UTF-8', '-Tutf8', '-l', self.installed('mandir', 'man7', 'prp-relay-history.7'),
                             env={**os.environ, 'MANWIDTH': '400', 'LC_ALL': 'C.UTF-8'})
        shown = [line.strip() for line in output.splitlines() if line.strip()]
        for example in sorted(self.installed('docdir', 'examples').glob('catch-up.*')):
            lines = [line.strip() for line in example.read_text().splitlines() if line.strip()]
            start = shown.index(lines[0]) if lines[0] in shown else 0
            if shown[start:start + len(lines)] != lines:
                yield f'{example.name} is not shown, or not as it is'

    def check_man_references(self):
        """man pages and units refer to pages that exist"""
        if not self.man:
            raise Skip('built without man pages')
        present = {page.name for page in self.pages()}
        texts = {page.name: page.read_text() for page in self.pages()}
        texts |= {unit.name: unit.read_text() for unit in self.units()}
        for name, text in texts.items():
            plain = re.sub(r'\\f[BIRP]|\\&', '', text).replace('\\-', '-')
            for page, section in re.findall(r'([A-Za-z][\w.-]*)\((\d)\)', plain):
                if page.startswith(OUR_PAGES) and f'{page}.{section}' not in present:
                    yield f'{name}: refers to {page}({section})'

    def check_potfiles(self):
        """po/POTFILES lists every file with text for people, sorted"""
        listed = [line for line in (self.source / 'po/POTFILES').read_text().splitlines() if line and line[0] != '#']
        if listed != sorted(listed):
            yield 'not sorted'
        sources = [*(self.source / 'src').rglob('*.c'), *(self.source / 'data').rglob('*.js')]
        used = {p.relative_to(self.source).as_posix() for p in sources if MESSAGE.search(p.read_text())}
        yield from (f'missing: {name}' for name in sorted(used - set(listed)))
        yield from (f'has no text for people, or is no file: {name}' for name in sorted(set(listed) - used))

    def check_codes(self):
        """every code of LastError is explained in README.md, in the D-Bus reference and by prpctl"""
        table = (self.source / 'src/common/trouble.c').read_text()
        codes = set(re.findall(r'^  \{ DOMAIN_\w+, \w+, "([A-Z0-9_]+)"', table, re.MULTILINE))
        if len(codes) < 10:
            yield 'the table in src/common/trouble.c is not what it was'
        for place in ('README.md', 'dbus/dev.prp.Relay1.xml', 'src/prpctl/advice.c'):
            text = (self.source / place).read_text()
            yield from (f'{place}: {code} is missing' for code in sorted(codes) if not re.search(rf'\b{code}\b', text))

    def check_extension(self):
        """the extension is whole, installed and packed, with the entry that its versions of GNOME Shell take"""
        prefix = '{extensiondir}/'
        listed = {line[len(prefix):] for line in (self.source / 'tests/installed.txt').read_text().splitlines()
                  if line.startswith(prefix)}
        languages = re.sub(r'#.*', '', (self.source / 'po/LINGUAS').read_text()).split()
        beside = {'schemas/gschemas.compiled', 'schemas/org.gnome.shell.extensions.prp-relay.gschema.xml',
                  *(f'locale/{language}/LC_MESSAGES/prp-relay.mo' for language in languages)}
        status, output = run('meson', 'compile', '-C', self.build, 'extension-zip')
        if status != 0:
            yield from output.splitlines()
        for variant in ('legacy', 'modern'):
            with zipfile.ZipFile(self.build / f'data/gnome-shell/prp-relay@prp.dev.{variant}.zip') as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
            yield from (f'{variant}: not packed: {name}' for name in sorted((listed | beside) - files.keys()))
            yield from (f'{variant}: should not be packed: {name}' for name in sorted(files.keys() - listed - beside))
            yield from extension_faults(variant, files)
        if 'extensiondir' in self.directories:
            top = self.installed('extensiondir')
            files = {p.relative_to(top).as_posix(): p.read_bytes() for p in top.rglob('*') if p.is_file()}
            yield from extension_faults('installed', files)

    def check_scripts(self):
        """shellcheck has no objection to the scripts"""
        status, output = run(need('shellcheck'), '--external-sources', '--source-path=SCRIPTDIR/../data:SCRIPTDIR/..',
                             *SCRIPTS, cwd=self.source)
        if status != 0:
            yield from output.splitlines()
        for script in SCRIPTS:
            if not os.access(self.source / script, os.X_OK) and not script.endswith('.bash'):  # those are sourced
                yield f'{script} is not executable'


def main():
    source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    directories = dict(argument.split('=', 1) for argument in sys.argv[3:])
    checks = [name for name in vars(Checks) if name.startswith('check_')]
    failed = 0
    print(f'1..{len(checks)}')
    with tempfile.TemporaryDirectory(prefix='prp-relay-packaging-') as scratch:
        subject = Checks(source, build, directories, pathlib.Path(scratch))
        for number, name in enumerate(checks, 1):
            check = getattr(subject, name)
            title = check.__doc__
            try:
                faults = list(check())
            except Skip as skip:
                print(f'ok {number} - {title} # SKIP {skip}', flush=True)
                continue
            except OSError as error:
                faults = [str(error)]
            failed += bool(faults)
            for fault in faults:
                print(f'# {fault}')
            print(f'{"not ok" if faults else "ok"} {number} - {title}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
