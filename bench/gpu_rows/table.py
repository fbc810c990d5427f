"""The figures of a run as a compact text. No torch: the parent process prints it."""

import json
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
MODES = ("best", "balanced", "fast")
LIMIT = 10_000
"""Characters of the whole."""


def table(rows: dict[str, Row]) -> str:
    lines: list[str] = []
    for name, row in rows.items():
        lines.append(f"## {name}: {row.get('status')}, {row.get('row_s', 0)} s")
        try:
            lines += _WRITERS.get(name, _plain)(row)
        except Exception as e:  # a figure that is missing must not cost the rest of the table
            lines.append(f"  (table: {type(e).__name__}: {e})")
        for part, figures in row.items():
            if isinstance(figures, dict) and "error" in figures:
                lines.append(f"  ERROR {part}: {_short(figures['error'], 220)}")
    text = "\n".join(lines)
    return text if len(text) <= LIMIT else text[: LIMIT - 20] + "\n… see gpu.json"


def _parts(row: Row) -> list[tuple[str, Row]]:
    return [(name, part) for name, part in row.items() if isinstance(part, dict)]


def _short(text: Any, length: int) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _apart(part: Any) -> str:
    if not isinstance(part, dict) or "max_abs" not in part:
        return "-"
    return "equal" if part["equal"] else f"max {part['max_abs']:.2g}, L2 {part['relative_l2']:.2g}"


def _memory(part: Row) -> str:
    return f"{part.get('allocated_gib', '-')}/{part.get('reserved_gib', '-')} GiB"


def _plain(row: Row) -> list[str]:
    return [f"  {_short(json.dumps(row), 400)}"]


def _env(row: Row) -> list[str]:
    versions = row["versions"]
    return [
        f"  {', '.join(row['gpus']) or 'no GPU'}; driver {row['driver']}; torch {versions['torch']}"
        f" cudnn {row['cudnn']}; diffusers {versions['diffusers']}; transformers {versions['transformers']};"
        f" python {row['python']}; {row['cores']} cores, {row['ram_gib']} GiB",
        f"  matmul {row['matmul'].get('tflops')} TFLOP/s; guessed speed {row['guessed_gpu_speed']}",
        f"  GB/s {json.dumps(row['copies'])}",
        f"  context {json.dumps(row['context'])}",
    ]


def _sampling(row: Row) -> list[str]:
    """Of `stock` and `exact`."""
    part = row["sampling"]
    lines = [
        f"  load {row['load_s']} s; step {part['step_s']} s (first {part['first_step_s']}); {_memory(part)};"
        f" finite {part['finite']}" + (f"; encode {part['encode_s']} s" if "encode_s" in part else "")
    ]
    for name, one in _parts(row):
        if name.startswith("decode"):
            lines.append(f"  {name}: {one.get('seconds')} s, {_memory(one)}")
    return lines


def _exact(row: Row) -> list[str]:
    lines = _sampling(row)
    conditioning, resumed = row.get("conditioning", {}), row.get("resume", {})
    lines.append(f"  conditioning {conditioning.get('first_s')} s, again {conditioning.get('again_s')} s")
    lines.append(
        f"  without shortcuts against stock: {_apart(row.get('parity with stock'))};"
        f" same again: {_apart(row.get('same again'))}; resumed at {resumed.get('at_step')}: {_apart(resumed)}"
    )
    profile = row.get("profile", {})
    if "wall_ms" in profile:
        lines.append(
            f"  profile: {profile['wall_ms']} ms, {profile['kernels']} kernels busy {profile['busy_ms']} ms,"
            f" idle {profile['idle_percent']} %; {json.dumps(profile['ms_by_kind'])}"
        )
        lines.append(f"  host calls {json.dumps(profile['host_calls'])}")
        lines += [f"    {took:8.2f} ms {count:5d}x {name[:70]}" for name, took, count in profile["top_kernels_ms"][:12]]
    return lines


def _variants(row: Row) -> list[str]:
    base = row["as it is"]["step_s"]
    return [
        f"  {name:34} {part['step_s']:8.4f} s {100 * (part['step_s'] / base - 1):+6.1f} %  {_memory(part)}"
        f"  {_apart(part.get('against as it is'))}"
        for name, part in _parts(row)
        if "step_s" in part
    ]


def _compile(row: Row) -> list[str]:
    eager, one, decoder = row.get("eager", {}), row.get("denoiser", {}), row.get("decoder", {})
    return [
        f"  eager {eager.get('step_s')} s; compiled {one.get('step_s')} s, compiling {one.get('rehearsal_s')} s,"
        f" {one.get('graphs')} graphs, {one.get('graphs_after')} after sampling;"
        f" {_memory(one)}; against eager {_apart(one.get('against eager'))};"
        f" against the first process {_apart(one.get('against the first process'))}"
        + (f"; {_short(one['error'], 160)}" if "error" in one else ""),
        f"  decoder eager {row.get('decoder eager', {}).get('seconds')} s; compiled {decoder.get('seconds')} s,"
        f" first chunk {decoder.get('first_s')} s; {_memory(decoder)}"
        + (f"; {_short(decoder['error'], 160)}" if "error" in decoder else ""),
        f"  modes {json.dumps({mode: row[mode].get('total_s') for mode in MODES if mode in row})}",
        f"  taken off {row.get('taken off', {}).get('step_s')} s, put on again after"
        f" {row.get('put on again', {}).get('rehearsal_s')} s",
    ]


def _fast(row: Row) -> list[str]:
    lines = []
    named = ("step_s", "total_s", "steps", "whole_step_s", "cached_step_s", "finite", "at_step")
    for name, part in _parts(row):
        kept = {key: part[key] for key in named if key in part}
        if kept:
            apart = _apart(part.get("against exact", part))
            lines.append(f"  {name}: {json.dumps(kept)} {_memory(part)} {'' if apart == '-' else apart}".rstrip())
    lines.append(f"  share of best {json.dumps(row.get('share_of_best'))}")
    return lines


def _limits(row: Row) -> list[str]:
    lines = []
    for name, part in _parts(row):
        if "stages" in part:
            plan, planned, stages = part["plan"], part["planned_gib"], part["stages"]
            peaks = ", ".join(
                f"{stage} {planned.get(stage, '-')}>{one.get('reserved_gib')}" for stage, one in stages.items()
            )
            lines.append(
                f"  {name}: {part['placement']}, {plan['width']}x{plan['height']}, two_pass {plan['two_pass']:d},"
                f" chunked {plan['chunked']:d}, decode {plan['decode_chunk']}; held {part.get('first_plan_held')};"
                f" steps {stages.get('sampling', {}).get('steps_s')} s;"
                f" seconds {json.dumps(part.get('stage_seconds'))} planned {json.dumps(part.get('planned_s'))}"
            )
            lines.append(f"    GiB planned>reserved: {peaks}; {_apart(part.get('against the first'))}")
            lines += [f"    {_short(text, 200)}" for text in part.get("fallbacks", [])[:6]]
    return lines


def _flow(row: Row) -> list[str]:
    lines = [f"  load {row.get('load_s')} s"]
    for name, part in _parts(row):
        if "stages" not in part:
            told = ("seconds", "gib", "step_s", "first_step_s", "cached_step_s", "finite")
            kept = {key: part[key] for key in told if key in part}
            apart = _apart(part)
            lines.append(f"  {name}: {json.dumps(kept)} {_memory(part)} {'' if apart == '-' else apart}".rstrip())
    return lines + _limits(row)


def _mini(row: Row) -> list[str]:
    lines = []
    for name, part in _parts(row):
        kept = {
            key: part[key]
            for key in ("whole_s", "stage_seconds", "seconds", "frames", "same_frames", "resumed_at")
            if key in part
        }
        lines.append(f"  {name}: {json.dumps(kept)} {_memory(part) if 'allocated_gib' in part else ''}")
        lines += [f"    {_short(text, 160)}" for text in part.get("warnings", [])]
    return lines


_WRITERS: dict[str, Callable[[Row], list[str]]] = {
    "env": _env,
    "stock": _sampling,
    "exact": _exact,
    "variants": _variants,
    "compile": _compile,
    "compile_warm": _compile,
    "compile_nchw": _compile,
    "fast": _fast,
    "limits": _limits,
    "limits_fixed": _limits,
    "compile_job": _limits,
    "ltx": _flow,
    "wan": _flow,
    "mini": _mini,
}
