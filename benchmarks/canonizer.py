"""`can transform run` compared with programs that do the same with the reference engine and validators.

Validate in, transform, validate out, write: node with `jsonata` and `ajv`, Python with `jsonata-python` and
`jsonschema`. The peers get the host functions in their own language. Per-record cost is CPU time less that of an empty
input, so that nobody's start-up counts; all run in turns.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import cost, tables

HOUSE = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
REGISTRY = HOUSE / "transforms"
ROUNDS = 5
RECORDS, FEW = 2000, 100

TRANSFORMS: Mapping[str, str] = {
    "email/gmail_to_canonical_v1": "gmail-messages",
    "email/exchange_to_canonical_v1": "exchange-messages",
    "contact/dataverse_contact_to_canonical_v1": "dataverse-contacts",
    "clinical_session/dataverse_session_to_canonical_v1": "dataverse-sessions",
    "form_response/google_forms_to_canonical_v1": "google-forms-responses",
}

_NODE = r"""
import fs from 'node:fs'; import readline from 'node:readline'; import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const jsonata = require('jsonata'), Ajv = require('ajv/dist/2020').default;
const [spec, before, after] = process.argv.slice(2);
const ajv = new Ajv({ strict: false, validateFormats: false });
const compile = path => ajv.compile(JSON.parse(fs.readFileSync(path)));
const fits = compile(before), holds = compile(after), run = jsonata(fs.readFileSync(spec, 'utf8'));
const text = (bytes, charset) => {
  for (const name of [charset, 'utf-8']) {
    try { if (name) return new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(bytes); } catch {}
  }
  return bytes.toString('latin1');
};
const header = value => value.replace(/[\r\n]+[ \t]*/g, ' ').replace(/(\?=)\s+(?==\?)/g, '$1')
  .replace(/=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=/gi, (_, charset, kind, body) => text(kind.toLowerCase() === 'b'
    ? Buffer.from(body, 'base64')
    : Buffer.from(body.replace(/_/g, ' ').replace(/=([0-9a-f]{2})/gi, (_, h) => String.fromCharCode(parseInt(h, 16))),
                  'latin1'), charset)).trim();
const addresses = value => {
  const found = []; let part = '', quoted = false;
  const flush = () => {
    const match = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<]*?))\s*<([^>]*)>\s*$/.exec(part);
    if (match) found.push({ name: header((match[1] ?? match[2]).replace(/\\(.)/g, '$1')), address: match[3] });
    else if (part.trim()) found.push({ name: '', address: part.trim() });
    part = '';
  };
  for (const c of value.replace(/[\r\n]+[ \t]*/g, ' ')) {
    if (c === '"') quoted = !quoted;
    if (!quoted && (c === ',' || c === ';')) flush(); else if (!quoted && c === ':') part = ''; else part += c;
  }
  flush(); return found;
};
const isoDate = value => {
  const moment = new Date(typeof value === 'string' && /^\d{9,}$/.test(value) ? Number(value) : value);
  return isNaN(moment) ? undefined : moment.toISOString().replace('.000Z', 'Z');
};
const html = value => value.replace(/<(script|style|title)\b[\s\S]*?<\/\1>|<!--[\s\S]*?-->/gi, '').replace(/\n/g, ' ')
  .replace(/<\/?(p|div|br|li|ul|ol|tr|table|h[1-6]|body|html|head|blockquote)\b[^>]*>/gi, '\n').replace(/<[^>]*>/g, '')
  .replace(/&nbsp;/g, ' ').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&amp;/g, '&')
  .replace(/[^\S\n]+/g, ' ').replace(/ ?\n[ \n]*/g, '\n').trim();
const given = (f, nothing) => (...a) => a[0] === undefined || a[0] === null ? nothing : f(...a);
run.registerFunction('mimeText', given((data, charset) => text(Buffer.from(data, 'base64url'), charset)));
run.registerFunction('mimeHeader', given(header)); run.registerFunction('addresses', given(addresses, []));
run.registerFunction('isoDate', given(isoDate)); run.registerFunction('htmlText', given(html));
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const record = JSON.parse(line);
  if (!fits(record)) continue;
  const result = await run.evaluate(record);
  if (holds(result)) process.stdout.write(JSON.stringify(result) + '\n');
}
"""

_PYTHON = r"""
import json, sys
import jsonata, jsonschema
from lorchestra.components.canonizer.record.functions import dates, mail, markup
spec, before, after = sys.argv[1:]
def compiled(path):
    schema = json.load(open(path))
    return jsonschema.validators.validator_for(schema)(schema)
fits, holds, run = compiled(before), compiled(after), jsonata.Jsonata(open(spec).read())
def first(function):
    return lambda *a: next(iter(function(*a)), None)
run.register_lambda("mimeText", lambda data, charset=None: first(mail.mime_text)(data, charset))
run.register_lambda("mimeHeader", lambda text: first(mail.mime_header)(text))
run.register_lambda("addresses", lambda text: mail.addresses(text))
run.register_lambda("isoDate", lambda value: first(dates.iso_date)(value))
run.register_lambda("htmlText", lambda html: first(markup.html_text)(html))
for line in sys.stdin:
    record = json.loads(line)
    if fits.is_valid(record):
        result = run.evaluate(record)
        if holds.is_valid(result):
            sys.stdout.write(json.dumps(result) + "\n")
"""


class Case(NamedTuple):
    """A transform, its files, and records for it: many, few, none."""

    name: str
    spec: Path
    before: Path
    after: Path
    many: Path
    few: Path
    none: Path


class Peer(NamedTuple):
    """A program that canonizes stdin to stdout, and how many records it is given."""

    name: str
    command: str
    many: bool = True


def main() -> None:
    """Measure and print the section of benchmarks/README.md."""
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        node, python = _node(work), _python(work)
        rows, columns = [], []
        for name, kind in TRANSFORMS.items():
            case = _case(work, name, kind)
            peers = _peers(case, node, python)
            spent = _measured(peers, case)
            ratios = [spent["node"] / spent["can"], spent["node"] / spent["jsonatapy"], spent["python"] / spent["can"]]
            columns.append(ratios)
            told = [f"{spent['can'] * 1e6:.0f}", f"{1 / spent['can']:,.0f}", *map(tables.ratio, ratios)]
            rows.append([name, *told, _equal(peers[0], peers[2], case)])
        of_all = [statistics.geometric_mean(column) for column in zip(*columns, strict=True)]
        least = [min(column) for column in zip(*columns, strict=True)]
        for label, ratios in (("geometric mean", of_all), ("least", least)):
            rows.append([label, "", "", *map(tables.ratio, ratios), ""])
        whole = _whole(work)
    print(_TEXT.format(records=f"{RECORDS:,}", rounds=ROUNDS))
    print(tables.table(_HEAD, rows))
    print(_WHOLE.format(**whole._asdict(), rounds=ROUNDS))
    print("\n".join(tables.reached(_goals(of_all, least, whole))))


class Whole(NamedTuple):
    """The program as one: CPU seconds to the first record; how many times the records of one process two do in the
    same time, and two programs side by side; the MB that a 1 GB file takes in all processes together."""

    start: float
    two: float
    beside: float
    memory: float


_HEAD = ["transform", "can, µs", "records/s", "node ÷ can", "node ÷ jsonatapy", "jsonata-python ÷ can", "equal to node"]
_TEXT = """## Canonizer

`python -m benchmarks canonizer`: CPU time per record without start-up, for {records} synthetic records, medians of
{rounds} rounds in turn. Each program validates the input, transforms, validates the output and writes; a
quotient is the ratio of their times. node has host functions in JavaScript, Python the same ones as `can`.
`equal to node` is the share of output records with the same value.
"""
_WHOLE = """\
Start-up and one Gmail record take {start:.3f} s of CPU. `--jobs 2` processes {two:.2f} times as many records as
`--jobs 1` in the same time (wall, medians of {rounds} rounds in turn). Two such programs at the same time process
{beside:.2f} times as many as one, which is the maximum of the machine. A file of 1 GB with `--jobs 2` takes at most
{memory:.0f} MB, summed over all processes.
"""
_SHARED = "Host functions, parsing and validation, the same with each engine, are a growing share of the rest."


def _goals(of_all: list[float], least: list[float], whole: Whole) -> list[tables.Goal]:
    return [
        _goal("node: 4 times as long, geometric mean", of_all[0], 4),
        _goal("node: 2.2 times as long on the worst transform", least[0], 2.2),
        _goal("jsonata-python: 20 times as long, geometric mean", of_all[2], 20),
        tables.Goal(
            "two processes: 1.7 times one", f"{whole.two:.2f} times", whole.two >= 1.7, "The machine, see above."
        ),
        tables.Goal("the first record: 0.15 s of CPU", f"{whole.start:.3f} s", whole.start < 0.15, "Imports."),
        tables.Goal("1 GB: under 150 MB of memory", f"{whole.memory:.0f} MB", whole.memory < 150, ""),
    ]


def _goal(text: str, found: float, least: float) -> tables.Goal:
    return tables.Goal(text, f"{tables.ratio(found)} times", found >= least, _SHARED)


def _whole(work: Path) -> Whole:
    meta = REGISTRY / "email/gmail_to_canonical_v1.meta.yaml"
    lines = (work / "gmail-messages-20251110.jsonl").read_bytes()
    one, many, big = work / "one.jsonl", work / "many.jsonl", work / "big.jsonl"
    one.write_bytes(lines.split(b"\n")[0] + b"\n")
    many.write_bytes(lines * 10)
    with big.open("wb") as file:
        for _ in range(1024**3 // len(lines) + 1):
            file.write(lines)
    run = f'"{BIN}/can" transform run --meta "{meta}" --jobs {{}} --input "{{}}" --output "{work}/{{}}"'
    single = run.format(1, many, "single")
    commands = {"start": run.format(1, one, "start"), "one": single, "two": run.format(2, many, "two")}
    commands["beside"] = f"{single} & {run.format(1, many, 'beside')}; wait"
    spent: dict[str, list[cost.Cost]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            spent[name].append(cost.measure(["/bin/sh", "-c", command], work))
    of = {name: cost.median(costs) for name, costs in spent.items()}
    beside = 2 * of["one"].wall / of["beside"].wall
    memory = cost.peak_memory(shlex.split(run.format(2, big, "big.out"))) / 1e6
    return Whole(of["start"].cpu, of["one"].wall / of["two"].wall, beside, memory)


def _peers(case: Case, node: Path, python: Path) -> list[Peer]:
    here = f'"{BIN}/can" transform run --meta "{case.spec.with_suffix(".meta.yaml")}"'
    files = f'"{case.spec}" "{case.before}" "{case.after}"'
    return [
        Peer("can", here),
        Peer("jsonatapy", f"{here} --engine jsonatapy"),
        Peer("node", f'node "{node}" {files}'),
        Peer("python", f'PYTHONPATH="{HOUSE}" "{python}" "{python.parents[2]}/peer.py" {files}', many=False),
    ]


def _measured(peers: list[Peer], case: Case) -> dict[str, float]:
    spent: dict[str, list[cost.Cost]] = {}
    for _ in range(ROUNDS):
        for peer in peers:
            for source in (case.none, case.many if peer.many else case.few):
                key = f"{peer.name} {'none' if source == case.none else ''}"
                spent.setdefault(key, []).append(_run(peer, source))
    counts = {peer.name: RECORDS if peer.many else FEW for peer in peers}
    return {
        name: (cost.median(spent[f"{name} "]).cpu - cost.median(spent[f"{name} none"]).cpu) / count
        for name, count in counts.items()
    }


def _run(peer: Peer, source: Path) -> cost.Cost:
    script = f'{peer.command} < "{source}" > "{source.with_suffix(".out")}"'
    return cost.measure(["/bin/sh", "-c", script], source.parent)


def _equal(one: Peer, other: Peer, case: Case) -> str:
    outputs = []
    for peer in (one, other):
        _run(peer, case.many)
        outputs.append([json.loads(line) for line in case.many.with_suffix(".out").read_bytes().splitlines()])
    same = sum(mine == theirs for mine, theirs in zip(*outputs, strict=True))
    return f"{100 * same / RECORDS:.1f} %"


def _case(work: Path, name: str, kind: str) -> Case:
    many = work / f"{kind}-20251110.jsonl"
    sample: list[str | Path] = [
        BIN / "lorchestra-sample",
        kind,
        "--output",
        work,
        "--name",
        kind,
        "--records",
        str(RECORDS),
    ]
    subprocess.run([*sample, "--start", "20251110"], check=True, capture_output=True)
    lines = many.read_bytes().splitlines(keepends=True)
    few, none = work / f"{kind}.few", work / f"{kind}.none"
    few.write_bytes(b"".join(lines[:FEW]))
    none.write_bytes(b"")
    shown = subprocess.run(
        [BIN / "can", "transform", "show", name, "--registry", REGISTRY], check=True, capture_output=True, text=True
    )
    facts = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines() if line.split()[0] in ("from", "to"))
    before, after = (REGISTRY / "schemas" / (facts[key].removeprefix("iglu:") + ".json") for key in ("from", "to"))
    return Case(name, REGISTRY / f"{name}.jsonata", before, after, many, few, none)


def _node(work: Path) -> Path:
    install: list[str | Path] = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        work,
        "jsonata@2.2.2",
        "ajv@8",
    ]
    subprocess.run(install, check=True, capture_output=True)
    program = work / "peer.mjs"
    program.write_text(_NODE)
    return program


def _python(work: Path) -> Path:
    venv.create(work / "peer", with_pip=True)
    python = work / "peer" / "bin" / "python"
    packages = ["jsonata-python==0.7.1", "jsonschema", "markdownify", "selectolax", "webencodings"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True)
    (work / "peer.py").write_text(_PYTHON)
    return python


if __name__ == "__main__":
    main()
