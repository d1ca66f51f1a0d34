#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How a fleet of 100,000 relays comes back when the service restarts: tables, JSON, a plot, and what the README says of it.

    fleet.py PROGRAM                 the tables (PROGRAM: tests/bench/fleet of a build)
    fleet.py PROGRAM --json FILE     all figures
    fleet.py PROGRAM --plot FILE     the picture, as SVG
    fleet.py PROGRAM --check         TAP: the claims hold, the README and its picture are up to date

fleet.c tells what is simulated, and what is left out.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
PICTURE = SOURCE / "data" / "screenshots" / "fleet.svg"
RELAYS, RATE = 100_000, 2_000

# Name: what happens, options of the program.
SCENARIOS = {
    "restart": ("back at once, 503", []),
    "restart-retry-after": ("back at once, 503 with `Retry-After: 10`", ["--retry-after=10"]),
    "away": ("away for 30 s, 503", ["--away=30"]),
    "away-long": ("away for 5 min, 503 with `Retry-After: 30`", ["--away=300", "--retry-after=30"]),
    "restart-queue": ("back at once, lets all wait", ["--queue"]),
    "away-queue": ("away for 30 s, lets all wait", ["--away=30", "--queue"]),
}
# Name: what it is called.
HABITS = {
    "relay": "the relay",
    "none": "without jitter",
    "page-5": "the protocol page's client",
    "page-10": "the same, 10 attempts",
    "letter": "the relay, Retry-After as the least delay only",
    "equal": "equal jitter",
    "decorrelated": "decorrelated jitter",
}
IN_README = ["relay", "none", "page-5"]
# InitialDelaySec and MaxDelaySec, by where they matter.
CHOICES = [(initial, most) for initial in (1, 2, 5) for most in (30, 60, 120)]


class Fleet:
    def __init__(self, program):
        self.program = program
        self.known = {}

    def run(self, scenario, habit="relay", initial=1, most=60, seed=1):
        key = scenario, habit, initial, most, seed
        if key not in self.known:
            command = [self.program, f"--relays={RELAYS}", f"--rate={RATE}", f"--habit={habit}", f"--initial={initial}",
                       f"--max={most}", f"--seed={seed}", *SCENARIOS[scenario][1]]
            self.known[key] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return self.known[key]


# -- tables

def number(value):
    return f"{value:,}"


def duration(seconds):
    if seconds is None:
        return "never"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def cells(result):
    return [duration(result["back_99"]), number(result["never"]), number(result["peak_tenth"]),
            number(result["peak_tenth_returned"]), f"{result['attempts'] / RELAYS:.1f}"]


HEAD = ["99 % are back after", "never back", "busiest 0.1 s", "the same, once it is back", "attempts each"]


def show_tables(fleet):
    for scenario, (what, _) in SCENARIOS.items():
        print(f"\n{what}")
        for row in [["", *HEAD], *([name, *cells(fleet.run(scenario, habit))] for habit, name in HABITS.items())]:
            print(f"  {row[0]:<48}" + "".join(f"{cell:>27}" for cell in row[1:]))
    print("\nInitialDelaySec/MaxDelaySec")
    print(f"  {'':<48}" + "".join(f"{title:>27}" for title in HEAD))
    for scenario in ("restart", "restart-retry-after", "away", "away-long"):
        for initial, most in CHOICES:
            row = cells(fleet.run(scenario, initial=initial, most=most))
            print(f"  {SCENARIOS[scenario][0] + f': {initial}/{most}':<48}" + "".join(f"{cell:>27}" for cell in row))


def readme_lines(fleet):
    """All of the README that has figures: its table, and what is said of the choices."""
    yield "| the service | who | 99 % are back after | never back | attempts in its busiest 0.1 s |"
    yield "|---|---|---|---|---|"
    for scenario in ("restart", "restart-retry-after", "away", "away-long"):
        for habit in IN_README:
            result = fleet.run(scenario, habit)
            yield (f"| {SCENARIOS[scenario][0]} | {HABITS[habit]} | {duration(result['back_99'])} | {number(result['never'])} | "
                   f"{number(result['peak_tenth_returned'])} |")

    def back(scenario, habit="relay", **options):
        return duration(fleet.run(scenario, habit, **options)["back_99"])

    def peak(scenario, **options):
        return number(fleet.run(scenario, **options)["peak_tenth"])

    def each(scenario, **options):
        return f"{fleet.run(scenario, **options)['attempts'] / RELAYS:.0f}"

    yield f"- When it is back at once, it sees {peak('restart')} attempts in 0.1 s; with `InitialDelaySec=5` it would be"
    yield (f"  {peak('restart', initial=5)}, and 99 % back after {back('restart', initial=5)}: no sooner, and every loss of one "
           "connection would last longer.")
    yield (f"- When it was away for 30 s, 99 % are back with `MaxDelaySec=30` after {back('away', most=30)}, with 120 after "
           f"{back('away', most=120)}. In 5 min each relay")
    yield (f"  makes {each('away-long', most=30)} attempts with 30, {each('away-long')} with 60, {each('away-long', most=120)} "
           f"with 120. Decorrelated jitter takes {back('away', 'decorrelated')} instead of {back('away')}.")
    yield (f"  it, each makes {each('restart-retry-after')} attempts instead of {each('restart')}; were they not spread, it would "
           f"take {back('restart-retry-after', 'letter')} instead of {back('restart-retry-after')}.")
    yield (f"  given up then: 99 % are back after {back('restart-queue')} instead of {back('restart')}.")


def everything(fleet):
    def brief(result):
        return {key: value for key, value in result.items() if key not in ("per_second", "back_by_second")}
    return {
        "relays": RELAYS, "handshakes_per_second": RATE,
        "scenarios": {scenario: {"what": what, "habits": {habit: fleet.run(scenario, habit) for habit in HABITS}}
                      for scenario, (what, _) in SCENARIOS.items()},
        "choices": [{"scenario": scenario, "initial_sec": initial, "max_sec": most,
                     **brief(fleet.run(scenario, initial=initial, most=most))}
                    for scenario in ("restart", "restart-retry-after", "away", "away-long") for initial, most in CHOICES],
    }


# -- the picture

WIDTH, LEFT, RIGHT = 760, 74, 16
UPPER, LOWER, HEIGHT = (62, 236), (284, 404), 452   # the two panels, from top to bottom
SECONDS = 150
STYLE = """
  .paper { fill: #ffffff } text { fill: #24292f; font: 12px sans-serif } .title { font-size: 14px; font-weight: bold }
  .grid { stroke: #d0d7de } .axis { stroke: #57606a } .away { fill: #8c959f; fill-opacity: .18 }
  path, .mark { fill: none; stroke-width: 2 } .relay { stroke: #0969da } .none { stroke: #cf222e } .page-5 { stroke: #9a6700 }
  .rate { stroke: #57606a; stroke-dasharray: 5 4; fill: none }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } .axis { stroke: #8b949e }
    .relay { stroke: #58a6ff } .none { stroke: #ff7b72 } .page-5 { stroke: #e3b341 } .rate { stroke: #8b949e }
  }
"""


def x_of(second):
    return LEFT + second * (WIDTH - LEFT - RIGHT) / SECONDS


def y_of_attempts(count):
    """Logarithmic, from 10 to 200,000."""
    top, bottom = UPPER
    share = math.log(max(count, 10) / 10) / math.log(200_000 / 10)
    return bottom - share * (bottom - top)


def y_of_share(share):
    top, bottom = LOWER
    return bottom - share * (bottom - top)


def draw_axes(out):
    for count in (10, 100, 1_000, 10_000, 100_000):
        y = y_of_attempts(count)
        out.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(count)}</text>')
    for percent in (0, 50, 100):
        y = y_of_share(percent / 100)
        out.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for top, bottom in (UPPER, LOWER):
        out.append(f'<rect class="away" x="{x_of(0):.1f}" y="{top}" width="{x_of(30) - x_of(0):.1f}" height="{bottom - top}"/>')
        out.append(f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>')
        for second in range(0, SECONDS + 1, 30):
            out.append(f'<line class="axis" x1="{x_of(second):.1f}" y1="{bottom}" x2="{x_of(second):.1f}" y2="{bottom + 4}"/>')
            out.append(f'<text x="{x_of(second):.1f}" y="{bottom + 18}" text-anchor="middle">{second}</text>')
    middle = x_of(SECONDS / 2)
    out.append(f'<text x="{middle:.0f}" y="{HEIGHT - 12}" text-anchor="middle">seconds since the service went away '
               '(grey: it is away)</text>')
    for (top, bottom), words in ((UPPER, "attempts per second"), (LOWER, "connected again")):
        y = (top + bottom) / 2
        out.append(f'<text x="14" y="{y:.0f}" text-anchor="middle" transform="rotate(-90 14 {y:.0f})">{words}</text>')
    y = y_of_attempts(RATE)
    out.append(f'<line class="rate" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')


def draw_attempts(out, habit, series):
    """A line where there is always somebody, else a stem for each second in which there is."""
    series, bottom = series[:SECONDS], UPPER[1]
    if habit == "relay":
        points = " ".join(f"{x_of(i + .5):.1f},{y_of_attempts(n):.1f}" for i, n in enumerate(series))
        out.append(f'<path class="{habit}" d="M {points}"/>')
        return
    shift = 2.5 if habit == "page-5" else 0  # beside the other's
    for i, n in enumerate(series):
        if n > 0:
            x = x_of(i + .5) + shift
            out.append(f'<path class="{habit}" d="M {x:.1f},{bottom} V {y_of_attempts(n):.1f}"/>')


def draw_back(out, habit, series):
    series = (series + series[-1:] * SECONDS)[:SECONDS]
    points = " ".join(f"{x_of(i + 1):.1f},{y_of_share(n / RELAYS):.1f}" for i, n in enumerate(series))
    out.append(f'<path class="{habit}" d="M {x_of(0):.1f},{LOWER[1]} {points}"/>')


def picture(fleet):
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{number(RELAYS)} clients after a service that was away for 30 s</title>",
           f"<style>{STYLE}</style>", f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
           f'<text class="title" x="{LEFT}" y="22">{number(RELAYS)} clients; the service is away for 30 s, then takes '
           f"{number(RATE)} handshakes a second</text>"]
    draw_axes(out)
    for habit in reversed(IN_README):
        result = fleet.run("away", habit)
        draw_attempts(out, habit, result["per_second"])
        draw_back(out, habit, result["back_by_second"])
    x = LEFT
    for name, words in [*((habit, HABITS[habit]) for habit in IN_README), ("rate", "what the service takes")]:
        out.append(f'<line class="mark {name}" x1="{x:.0f}" y1="42" x2="{x + 22:.0f}" y2="42"/><text x="{x + 28:.0f}" y="46">{words}</text>')
        x += 62 + 6.4 * len(words)
    return "\n".join([*out, "</svg>", ""])


# -- what is claimed

def claims(fleet):
    """(what, is it so)."""
    def run(scenario, habit="relay", **options):
        return fleet.run(scenario, habit, **options)

    yield "every relay comes back, whatever the server does", all(run(s)["never"] == 0 for s in SCENARIOS)
    yield ("the service away for 30 s: 99 % are back within 85 s of its return, which needs 50 s for them at best",
           run("away")["back_99"] <= 30 + 85)
    yield ("away for 5 min: within 85 s of its return", run("away-long")["back_99"] <= 300 + 85)
    yield ("back at once: within 85 s; asked to wait 10 s by those who are refused, no later",
           run("restart")["back_99"] <= 85 and run("restart-retry-after")["back_99"] <= run("restart")["back_99"])
    yield ("asking the relays to wait spares the server two attempts of five",
           run("restart-retry-after")["attempts"] <= run("restart")["attempts"] * 0.65)
    yield ("a Retry-After that is spread brings 99 % back in two thirds of the time of one that is not",
           run("restart-retry-after")["back_99"] <= run("restart-retry-after", "letter")["back_99"] * 0.67)
    yield ("the busiest tenth of a second is a sixth of that without jitter, and a hundredth once the server is back",
           run("away")["peak_tenth"] <= run("away", "none")["peak_tenth"] / 6 and
           run("away")["peak_tenth_returned"] <= run("away", "none")["peak_tenth_returned"] / 100)
    yield ("without jitter it takes twenty times as long",
           run("away", "none")["back_99"] >= run("away")["back_99"] * 20)
    yield ("of the protocol page's clients, nearly all never come back when the service refused some of them",
           all(run(s, "page-5")["never"] >= RELAYS * 0.85 for s in ("restart", "away", "away-long")))
    yield ("MaxDelaySec=30 gains little and costs half as many attempts again in a long outage, 120 takes longer",
           run("away", most=30)["back_99"] >= run("away")["back_99"] * 0.85 and
           run("away-long", most=30)["attempts"] >= run("away-long")["attempts"] * 1.5 and
           run("away", most=120)["back_99"] >= run("away")["back_99"] * 1.3)
    yield ("InitialDelaySec=5 would lower the first peak to a fifth, and bring nobody back sooner",
           run("restart", initial=5)["peak_tenth"] <= run("restart")["peak_tenth"] * 0.25 and
           all(run(s, initial=5)["back_99"] >= run(s)["back_99"] * 0.95 for s in ("restart", "away", "away-long")))
    yield ("decorrelated jitter needs longer for the last ones",
           all(run(s, "decorrelated")["back_all"] >= run(s)["back_all"] * 1.15 for s in ("restart", "away", "away-long")))
    yield "another seed gives nearly the same", all(
        abs(run(s, seed=2)["back_99"] / run(s)["back_99"] - 1) < 0.05 for s in SCENARIOS)


def check(fleet):
    results = list(claims(fleet))
    again = Fleet(fleet.program)
    results.append(("the same seed gives the same run", all(again.run(s) == fleet.run(s) for s in SCENARIOS)))
    readme = (SOURCE / "README.md").read_text().splitlines()
    missing = [line for line in readme_lines(fleet) if line not in readme]
    results.append(("the README has the figures that this program gives", not missing))
    results.append(("its picture is the one that this program draws", PICTURE.read_text() == picture(fleet)))
    for line in missing:
        print(f"# not in the README: {line}")
    print(f"1..{len(results)}")
    for i, (what, holds) in enumerate(results, 1):
        print(f"{'ok' if holds else 'not ok'} {i} - {what}")
    return 0 if all(holds for _, holds in results) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("--readme", action="store_true", help="prints what the README has of it")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    fleet = Fleet(options.program)
    if options.check:
        return check(fleet)
    if options.readme:
        print("\n".join(readme_lines(fleet)))
        return 0
    show_tables(fleet)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(everything(fleet)) + "\n")
    if options.plot:
        pathlib.Path(options.plot).write_text(picture(fleet))
    return 0


if __name__ == "__main__":
    sys.exit(main())
