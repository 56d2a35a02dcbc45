"""Looking over an installation: what is there, what is wrong, the cure of each problem, and what to
do first."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.launcher import check_launcher
from ste_plugin.axolotl.requirements import missing_model
from ste_plugin.config import HostConfig, HostsConfig, RunConfig
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.nested import answering_model
from ste_plugin.engines.ray.engine import describe_cluster
from ste_plugin.engines.registry import LOADING
from ste_plugin.errors import ConfigError, DataError, HostError, PluginError, SteError
from ste_plugin.evaluation.kept_out import KEEP_OUT, prompt_source
from ste_plugin.evaluation.prompt_files import files_of
from ste_plugin.hosts.run_host import Versions, is_older, require_module
from ste_plugin.instructions.sources.files import describe_files
from ste_plugin.instructions.sources.readers import check_source
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.run.doctor_training import axolotl_configs, check_axolotl_configs, check_recipes
from ste_plugin.run.finding import CheckResult
from ste_plugin.run.loop import checks_ahead
from ste_plugin.run.models_ahead import check_whole, find_unloadable
from ste_plugin.run.open_run import open_aside
from ste_plugin.storage.config_file import read_config


def conclude(findings: Sequence[CheckResult]) -> str:
    """Return one line: ready, or what to do first."""
    first = next((finding for finding in findings if not finding.ok), None)
    return "Ready." if first is None else f"Not ready. First, {first.what}: {first.cure}"


def examine(configs: Sequence[Path], files: Sequence[Path]) -> list[CheckResult]:
    """Return findings on Python, PATH, plugins, model libraries, GPU, axolotl and lm-eval.

    `configs` are a run's, which is looked over as `ste run` does before it begins, and axolotl
    configs with our plugin, or folders of them, which are checked as a training would before it
    loads a model.
    Raises: ConfigError for a file that is no config.
    """
    theirs = axolotl_configs(configs)
    ours = [path for path in configs if path.is_file() and path not in theirs]
    absent = [path for path in configs if not path.exists()]
    runs = {path: read_config(path) for path in [*ours, *absent]}
    return [
        _python(),
        _on_path(),
        _plugins(files),
        *_libraries(),
        _gpu(),
        *(finding for path, config in runs.items() for finding in _run(path, config, files)),
        *(_hosts(HostsConfig()) if not runs else ()),
        *check_axolotl_configs(theirs),
    ]


def _run(path: Path, config: RunConfig, files: Sequence[Path]) -> list[CheckResult]:
    """Return what is found of a run: part by part, then what `ste run` would refuse besides."""
    parts = [
        *_sources(path, config),
        *_given(path, config),
        *_kept_out(path, config, files),
        *_models(path, config),
        *_hosts(config.hosts),
        *_clusters(config),
    ]
    recipes = check_recipes(path, config, files)
    problems = [finding for finding in (*parts, *recipes) if not finding.ok]
    told = [line for problem in problems for line in problem.found.splitlines()]
    return [*parts, *_settings(_refusals(path, config, files), told), *recipes]


def _python() -> CheckResult:
    version, fits = ".".join(map(str, sys.version_info[:3])), sys.version_info >= (3, 11)
    return CheckResult("Python", version, fits, "" if fits else "install Python 3.11 or newer")


def _hosts(hosts: HostsConfig) -> list[CheckResult]:
    """Return a finding for each program of another environment that a run starts."""
    train, measure, serve = hosts.train.python, hosts.eval.python, hosts.serve.python
    findings = [
        _host("axolotl", "axolotl", train, axolotl.INSTALL, axolotl.VERSIONS),
        _host("our plugin beside axolotl", "ste_plugin", train, axolotl.INSTALL_OURS),
        _host("lm-eval", "lm_eval", measure, lm_eval.INSTALL, lm_eval.VERSIONS),
        _host("our plugin beside lm-eval", "ste_plugin", measure, lm_eval.INSTALL),
    ]
    if hosts.train.launcher != "python" or hosts.train.wrapper:
        findings.append(_launcher(hosts.train))
    if serve:
        findings.append(_host("vLLM for serving", "vllm", serve, "pip install vllm"))
    return findings


def _launcher(host: HostConfig) -> CheckResult:
    """Return what is found of what starts a training's processes."""
    try:
        check_launcher(host, {})
    except ConfigError as error:
        return CheckResult("launcher of trainings", str(error), False, "correct hosts.train")
    return CheckResult("launcher of trainings", host.launcher, True)


def _clusters(config: RunConfig) -> Iterator[CheckResult]:
    """Yield a finding for each model that a run's config asks on a Ray cluster."""
    for model in config.models.values():
        if model.engine == "ray":
            try:
                yield CheckResult("Ray cluster", describe_cluster(model), True)
            except SteError as error:
                yield CheckResult("Ray cluster", str(error), False, "see the words above")


def _sources(path: Path, config: RunConfig) -> Iterator[CheckResult]:
    """Yield a finding for each source of files that a run's config names."""
    base = path.resolve().parent
    for source in config.instructions:
        try:
            if files := check_source(source, base):
                yield CheckResult("instructions", describe_files(files), True)
        except (DataError, ConfigError) as error:
            cure = "write your instructions there, or name the file that holds them"
            if (base / Path(source.path).expanduser()).exists():
                cure = "see the words above"
            yield CheckResult("instructions", str(error), False, cure)


def _given(path: Path, config: RunConfig) -> Iterator[CheckResult]:
    """Yield a finding for each file of labelled pairs that a run's config names."""
    for given in config.pairs.given:
        try:
            files = files_of(given.path, path.resolve().parent)
            yield CheckResult("given pairs", describe_files(files), True)
        except (DataError, ConfigError) as error:
            yield CheckResult("given pairs", str(error), False, "correct pairs.given")


def _refusals(path: Path, config: RunConfig, files: Sequence[Path]) -> Iterator[SteError]:
    """Yield why `ste run` would refuse to begin: each check that it begins with and that fails.

    Plugins that the config lists are known only where they are given here, too.
    """
    if len(files) < len(config.plugins):
        return
    try:
        with open_aside(config, path.resolve().parent, files, quiet=True) as context:
            for check in checks_ahead(context):
                try:
                    check(context)
                except SteError as error:
                    yield error
    except PluginError:
        return  # told among the plugins
    except SteError as error:
        yield error


def _settings(refusals: Iterator[SteError], told: Sequence[str]) -> Iterator[CheckResult]:
    """Yield a finding for each refusal that holds no line that is `told`."""
    for error in refusals:
        text = str(error)
        if any(line in text for line in told):
            continue
        setting = text.partition(":")[0]
        named = re.fullmatch(r"[a-z_.]+", setting)
        yield CheckResult(
            "settings", text, False, f"correct {setting}" if named else "see the words above"
        )


def _kept_out(path: Path, config: RunConfig, files: Sequence[Path]) -> Iterator[CheckResult]:
    """Yield a finding for each benchmark and file whose prompts no instruction may repeat."""
    if not config.selection.keep_out:
        return
    try:
        source = prompt_source(config, path.resolve().parent, plugin_manager(files))
    except PluginError:
        return  # told among the plugins
    for name in config.selection.keep_out:
        try:
            yield CheckResult("kept out", source.check(name, KEEP_OUT), True)
        except (DataError, ConfigError) as error:
            yield CheckResult("kept out", str(error), False, f"correct {KEEP_OUT}")


def _models(path: Path, config: RunConfig) -> Iterator[CheckResult]:
    """Yield a finding for each model that an engine of ours is to load, and cannot, and for a judge
    that cannot be trained."""
    base = path.resolve().parent
    unloadable = dict(find_unloadable(config, base))
    for role, found in unloadable.items():
        yield CheckResult(role, found, False, f"correct {role}.model, or put the model there")
    try:
        if "judge" not in unloadable:
            check_whole(config.judge, base)
    except ConfigError as error:
        yield CheckResult("judge", str(error), False, "merge the adapter into its base")
    for role, model in config.models.items():
        loads = answering_model(model).engine in LOADING and role not in unloadable
        if loads and (absent := missing_model(model_path(model, base), ("config.json",))):
            cure = f"download it where the hub is in reach: hf download {model.model}"
            yield CheckResult(role, f"{model.model}: {absent}", False, cure)


def _on_path() -> CheckResult:
    if command := shutil.which("ste"):
        return CheckResult("ste on PATH", command, True)
    cure = f"add {Path(sys.executable).parent} to PATH, or activate its environment"
    return CheckResult("ste on PATH", "not found", True, cure)


def _plugins(files: Sequence[Path]) -> CheckResult:
    try:
        manager = plugin_manager(files)
    except PluginError as error:
        return CheckResult("plugins", str(error), False, "fix or uninstall the plugin named above")
    return CheckResult("plugins", ", ".join(str(n) for n, _ in manager.list_name_plugin()), True)


def _libraries() -> Iterator[CheckResult]:
    for name, extra, purpose in (
        ("torch", "local", "engine: local"),
        ("transformers", "local", "engine: local, and counting tokens"),
        ("datasets", "data", "reader: hub"),
        ("pyarrow", "data", "reader: parquet"),
    ):
        if importlib.util.find_spec(name):
            yield CheckResult(name, importlib.metadata.version(name), True)
        else:
            cure = f"pip install 'ste-plugin[{extra}]' (for {purpose})"
            yield CheckResult(name, "not installed", False, cure)


def _gpu() -> CheckResult:
    """Say what nvidia-smi sees; without a GPU only a recipe that needs one is a problem."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    if shutil.which(command[0]) is None:
        return CheckResult("GPU", "none (no nvidia-smi): small models only", True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        return CheckResult(
            "GPU", f"nvidia-smi failed: {done.stdout.strip()[:200]}", False, "fix the driver"
        )
    return CheckResult("GPU", "; ".join(done.stdout.strip().splitlines()), True)


def _host(
    name: str, module: str, python: str | None, install: str, versions: Versions | None = None
) -> CheckResult:
    where = python or sys.executable
    try:
        version = require_module(where, module, install, versions)
    except HostError as error:
        return CheckResult(name, str(error).splitlines()[0], False, install)
    tried = versions is None or is_older(version, versions.below)
    hint = "" if tried else f"newer than what was tried; {install} where something is amiss"
    return CheckResult(name, f"{version} in {where}", True, hint)
