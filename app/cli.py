"""The ``egs`` command: the same use cases as the pages, for terminals and scripts.

Results go to stdout, everything else to stderr. With ``--json`` stdout holds
one JSON value. Exit codes: 0 done; 1 the search failed or was stopped, or the
doctor found an error; 2 it could not be done, with one sentence why; 130 Ctrl-C.
"""

import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from app.commands import (
    check,
    derive,
    evaluate,
    import_,
    job,
    propose,
    replay,
    report,
    runs,
    steer,
    study,
    truth,
)
from app.commands.arguments import LARGEST_NUMBER, Json, Minutes, Priority, RunId, Step
from app.commands.ending import search_to_end
from app.commands.networks import make_network_file
from app.health_text import health_lines, health_of
from app.plain import plain
from app.settings import Settings
from app.studio import Studio
from app.terminal import print_rows, run_line, run_rows, say
from app.topology import topology_of_epochs
from app.whole_file import whole_file
from app.wiring import SystemClock, open_artifacts, open_launcher, open_store, open_studio
from engine.domain.errors import InvalidConfig, StudioError
from engine.domain.genotype import LAST_STEP
from engine.domain.method_presets import METHOD_PRESETS
from engine.domain.metrics import main_figure
from engine.domain.presets import PRESETS
from engine.domain.run import Run, RunState
from engine.domain.training_presets import TRAINING_PRESETS
from engine.export import EXPORTERS

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
LONGEST_VALUE = 100
SERVE_SECONDS = 60.0
END_SECONDS = 30.0
WAIT_TICK_SECONDS = 0.5

UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises for a command line that it cannot read."""

ENDS_THE_STUDIO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, an order to end, and a terminal that is closed, if not under nohup."""

app = typer.Typer(
    name="egs",
    help="Find neural architectures with the Ensemble Gumbel-Softmax.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
queue_app = typer.Typer(help="Waiting searches and their order.", invoke_without_command=True)
app.add_typer(queue_app, name="queue")


def main() -> None:
    """Run the command line; refusals become one sentence and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except StudioError as error:
        code = _refuse(str(error), plain(_parts(error)))
    except UsageProblem as error:
        message = getattr(error, "format_message", error.__str__)() or "Nothing to do."
        code = _refuse(message, {"error": message})
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    sys.exit(code or 0)


def _refuse(sentence: str, as_json: dict[str, Any]) -> int:
    print(json.dumps(as_json) if "--json" in sys.argv else sentence, file=sys.stderr)
    return REFUSED


def _parts(error: StudioError) -> dict[str, str]:
    return {
        "error": str(error),
        "kind": type(error).__name__,
        "asked": error.asked,
        "found": error.found,
        "allowed": error.allowed,
        "advice": error.advice,
    }


def _print_json(value: Any) -> None:
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def _studio() -> Studio:
    return open_studio(Settings.from_environment())


# Processes


@app.command()
def up(
    open_browser: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
) -> None:
    """Start the engine and the front end; Ctrl-C ends both."""
    from app import processes

    settings = Settings.from_environment()
    processes.check_port(settings)
    open_store(settings)
    leave = Event()
    for number in ENDS_THE_STUDIO:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: leave.set())
    children = [processes.front_end(settings), processes.engine(settings)]
    try:
        for child in children:
            child.start()
        processes.wait_until_serving(children[0], seconds=SERVE_SECONDS)
        print(f"EGS Studio is at {processes.url_of(settings)}", flush=True)
        say("Ctrl-C ends it; searches continue at the next start.")
        if open_browser:
            typer.launch(processes.url_of(settings))
        while not leave.wait(WAIT_TICK_SECONDS):
            for child in children:
                child.keep_alive()
    finally:
        for child in children:
            child.end(END_SECONDS)


@app.command()
def engine(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when no search is waiting or running.")
    ] = False,
) -> None:
    """Run the engine: it starts queued searches and watches them."""
    from engine.runtime.supervisor import Supervisor

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings.from_environment()
    if settings.example and not until_idle:
        _bring_example(settings)
    Supervisor(
        open_store(settings),
        open_launcher(settings),
        SystemClock(),
        until_idle=until_idle,
        webhook=settings.webhook,
    ).run()


def _bring_example(settings: Settings) -> None:
    """Something to look at before the first search."""
    from app.recording import add_example
    from engine.catalog import gather_catalog

    studio = open_studio(settings)
    if not studio.runs() and not studio.living_nodes():
        studio.store.publish(gather_catalog())
        add_example(studio, settings)


@app.command(hidden=True)
def worker(run_id: RunId, attempt: Annotated[int, typer.Option("--attempt")]) -> None:
    """Run one attempt at one search; the engine calls this."""
    from engine.runtime.worker import work

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings.from_environment()
    code = work(
        open_store(settings),
        open_artifacts(settings),
        run_id,
        attempt,
        cache=settings.home / "data",
    )
    raise typer.Exit(code)


app.command(hidden=True)(job.job)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check that this machine has what the studio needs."""
    from app.doctor import examine

    checks = examine(Settings.from_environment())
    if as_json:
        _print_json(checks)
    else:
        rows = [(c.status, c.name, c.found, c.advice) for c in checks]
        print_rows(("", "Check", "Found", "Advice"), rows)
    if any(check.status == "error" for check in checks):
        raise typer.Exit(FAILED)


# Starting and steering


@app.command()
def search(
    preset_names: Annotated[
        list[str] | None,
        typer.Option(
            "--preset", help="Starting point, and once more for a method; see `egs presets`."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="PATH|NAME", help="A data set by name, .npz or folder."),
    ] = None,
    minutes: Minutes = None,
    settings_given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    priority: Priority = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Queue a search; with --wait, see it to its end."""
    settings = Settings.from_environment()
    studio = open_studio(settings)
    presets, own = preset_names or [], settings_given or []
    prepared = propose.prepare(studio, settings, presets, data, own, minutes)
    propose.explain(prepared)
    run = studio.create(prepared.config, name=name, priority=priority)
    if wait:
        run = search_to_end(studio, settings, run, quiet=as_json)
    if as_json:
        _print_json(_with_metrics(studio, run))
    else:
        print(run_line(run))
        if wait and (health := health_of(studio, run)):
            print(health.summary)
    if wait and run.state is not RunState.COMPLETED:
        if run.error and not as_json:
            say(run.error)
        raise typer.Exit(FAILED)
    if not wait and not studio.living_nodes():
        say("No engine is running; start one with `egs up` or `egs engine`.")


@app.command()
def pause(run_id: RunId, as_json: Json = False) -> None:
    """Ask a running search to write a checkpoint and rest."""
    _show_run(_studio().pause(run_id), as_json)


@app.command()
def resume(run_id: RunId, as_json: Json = False) -> None:
    """Queue a paused or failed search again, from its last checkpoint."""
    _show_run(_studio().resume(run_id), as_json)


@app.command()
def stop(run_id: RunId, as_json: Json = False) -> None:
    """End a search for good."""
    _show_run(_studio().stop(run_id), as_json)


@app.command()
def delete(run_id: RunId, as_json: Json = False) -> None:
    """Remove a run with everything recorded."""
    _studio().delete(run_id)
    if as_json:
        _print_json({"deleted": run_id})
    else:
        print(f"Run {run_id} is deleted.")


@queue_app.callback()
def queue(context: typer.Context, as_json: Json = False) -> None:
    """Waiting searches in the order in which they start."""
    if context.invoked_subcommand is None:
        _show_runs(_studio().queue(), as_json)


@queue_app.command("priority", context_settings={"ignore_unknown_options": True})
def queue_priority(
    run_id: RunId,
    priority: Annotated[
        int,
        typer.Argument(min=-LARGEST_NUMBER, max=LARGEST_NUMBER, help="Higher starts earlier."),
    ],
    as_json: Json = False,
) -> None:
    """Change the place of a run in the queue."""
    studio = _studio()
    studio.set_priority(run_id, priority)
    _show_run(studio.run(run_id), as_json)


app.command("propose")(propose.propose_command)
app.command()(check.check)
app.command("fork")(steer.fork_command)
app.command("change")(steer.change_command)
app.command()(study.study)
app.command("evaluate")(evaluate.evaluate_command)


# Looking


app.command()(runs.runs)
app.command()(runs.label)
app.command()(job.jobs)


@app.command()
def show(run_id: RunId, as_json: Json = False) -> None:
    """Everything about one run: state, figures, health, checkpoints, log, settings."""
    studio = _studio()
    run = studio.run(run_id)
    events = studio.events(run_id)
    checkpoints = studio.checkpoints(run_id)
    health = health_of(studio, run)
    if as_json:
        _print_json(
            {
                **_with_metrics(studio, run),
                "health": health,
                "topology": topology_of_epochs(studio, run),
                "events": events,
                "checkpoints": checkpoints,
            }
        )
        return
    print(run_line(run))
    print_rows(("Health",), [(line,) for line in health_lines(health)] if health else [])
    print_rows(("Figure", "Value"), [(k, f"{v:.4g}") for k, v in _metrics(studio, run).items()])
    print_rows(("When", "What"), [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.text) for e in events])
    print_rows(("Checkpoint", "File"), [(f"step {c.step}", c.key) for c in checkpoints])
    print_rows(("Setting", "Value"), [(k, _short(v)) for k, v in plain(run.config).items()])


@app.command()
def snapshots(
    run_id: RunId,
    after: Annotated[
        int, typer.Option(min=-1, max=LAST_STEP, help="Only steps above this one.")
    ] = -1,
    limit: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_NUMBER, help="At most so many.")
    ] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="Only ends of epochs.")] = False,
    as_json: Json = False,
) -> None:
    """What was recorded: probabilities, codes and figures by step (JSON has all)."""
    studio = _studio()
    found = studio.snapshots(run_id, after=after, limit=limit, epochs_only=epochs)
    if as_json:
        _print_json(found)
        return
    main = main_figure(studio.run(run_id).config.task)
    measured = ("child", "validation", "test")
    figures = (
        "train_loss",
        f"train_{main.name}",
        *(f"{part}_{main.name}" for part in measured),
        "gap",
        "entropy",
    )
    shown = [name for name in figures if any(name in s.metrics for s in found)]
    rows = [
        (s.step, s.epoch, f"{s.temperature:.3g}", *(_figure(s.metrics, n) for n in shown))
        for s in found
    ]
    print_rows(("Step", "Epoch", "Temperature", *shown), rows)


@app.command()
def presets(as_json: Json = False) -> None:
    """Named starting points of searches and trainings, and methods to lay over searches."""
    if as_json:
        _print_json([*PRESETS, *METHOD_PRESETS, *TRAINING_PRESETS])
    else:
        print_rows(("Preset", "What"), [(p.name, p.description) for p in PRESETS])
        print_rows(("Method", "What"), [(p.name, p.description) for p in METHOD_PRESETS])
        print_rows(("Training", "What"), [(p.name, p.description) for p in TRAINING_PRESETS])


# Taking home


app.command()(derive.derive)
app.command()(truth.truth)
app.command("replay")(replay.replay_command)
app.command("report")(report.report_command)
app.command("import")(import_.import_)


@app.command()
def export(
    run_id: RunId,
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="genotype, darts, tuple, graphml, dot, svg, png, module or checkpoint; with "
            "weights: bundle, onnx, torch_export, safetensors or pyg.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File or folder; - is stdout.")
    ] = None,
    step: Step = None,
    as_json: Json = False,
) -> None:
    """Write one file to take home; without -o, into this folder."""
    to_stdout = output is not None and str(output) == "-"
    if to_stdout and as_json:
        raise InvalidConfig(
            asked="both -o - and --json",
            found="one stream for the file and for the JSON",
            allowed="one of them",
            advice="leave one out",
        )
    settings = Settings.from_environment()
    studio = open_studio(settings)
    if format_name in EXPORTERS:
        exported = studio.export(run_id, format_name, step)
    else:
        exported = make_network_file(settings, studio, run_id, format_name, step)
    if to_stdout:
        studio.write_export(exported, sys.stdout.buffer)
        return
    path = output or Path(exported.filename)
    if path.is_dir():
        path = path / exported.filename
    with whole_file(path) as file:
        studio.write_export(exported, file)
    if as_json:
        _print_json({"path": path.absolute(), "media_type": exported.media_type})
    else:
        print(path)


def _metrics(studio: Studio, run: Run) -> dict[str, float]:
    """The latest value of every figure."""
    return {series.name: series.values[-1] for series in studio.series(run.id) if series.values}


def _with_metrics(studio: Studio, run: Run) -> dict[str, Any]:
    return {**plain(run), "metrics": _metrics(studio, run)}


def _figure(metrics: Any, name: str) -> str:
    return f"{metrics[name]:.4g}" if name in metrics else ""


def _short(value: object) -> str:
    """A setting in one line; the genotype of a training is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _show_run(run: Run, as_json: bool) -> None:
    if as_json:
        _print_json(run)
    else:
        print(run_line(run))


def _show_runs(found: Sequence[Run], as_json: bool) -> None:
    if as_json:
        _print_json(found)
    elif found:
        print_rows(*run_rows(found))
    else:
        print("No runs. Start one with `egs search --preset digits`.")


if __name__ == "__main__":
    main()
