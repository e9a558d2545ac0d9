"""The house keeps its shape: imports point down, heavy packages come late, the door is guarded."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sash

HOUSE = Path(sash.__file__).parent
ROOT = Path(__file__).parents[1]

GUARDS = (
    *("limits.attempts", "limits.context", "limits.endings", "limits.layers", "limits.memo.in_flight"),
    *(f"limits.{guard}.middleware" for guard in ("breaker", "ceilings", "limiter", "memo", "meter", "retries")),
)
"""What carries out, attempt by attempt, what the rest of `limits` decides: it stands with `claude`."""

LOADING = ("model.once",)
"""What takes a lock so that a thing is loaded once: it decides nothing."""

STAIRS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("model",),
    ("counting", "planning", "recall", "summaries", "profile", "limits"),
    ("formats", "flows"),
    ("stores", "claude", "simulator", *GUARDS),
    (
        *(
            "types",
            "conversation",
            "bulk",
            "worker",
        ),
        *("replay", "inspect", "demo"),
    ),
    ("serve", "lab"),
    ("cli",),
)
"""From the bottom up. What stands on one stair may lean on its neighbours, and on all stairs below.

A room is named, or a module of one that stands elsewhere than the rest of it.
"""

LEVEL = {place: level for level, places in enumerate(STAIRS) for place in places}

HEAVY = (
    "anthropic",
    "numpy",
    "tiktoken",
    "ctok",
    "genai_prices",
    "matplotlib",
    "pandas",
    "sqlite_utils",
    "pydantic",
    "redis",
    "psycopg",
    "PIL",
)
PURE = ("model", "planning", "counting", "summaries", "profile", "limits", "flows")
IMPURE = ("sqlite3", "sqlite_utils", "asyncio", "time", "random", "threading", "anthropic", "socket", "subprocess")

DISTRIBUTIONS = {
    "PIL": "pillow",
    "markdown_it": "markdown-it-py",
    "opentelemetry": "opentelemetry-api",
    "yaml": "PyYAML",
}
"""Where a package is installed by another name than its own."""
READ = {"wordllama"}
"""Distributions whose files are read, and whose code is never imported."""

LONGEST = 40
"""Lines that a function may have, signature and docstring included."""
LONGER = {"sash.conversation.session.Session.__init__"}
"""Those that have more: the door, which spells out every setting. The list may only grow shorter."""

TWICE = {"Summaries"}
"""Classes that share a name all the same: `sash.bulk.summaries.Summaries` is public, the other a part of the record."""
RETIRED = {
    *("Chat", "Habits", "Held", "Forms", "Making", "Shape", "Slim", "Slimming", "Stay", "Tied", "Ways", "Wish"),
    *("as_is", "duplicates", "fresh_asked", "giving_way", "patience", "relieve", "search_tool", "settle_claim"),
    *("settle_doubt", "shed", "tie_up", "ways_of"),
}
"""Names that had to be explained, or meant several things. CHANGELOG and the code say what took their places."""

DOOR = {
    "AsyncConversation", "ClearedTools", "Conversation", "Count", "Economic", "Everything", "File", "Fitted", "Marks",
    "MemoryStore", "ModelCard", "Plan", "Recall", "Reply", "SashError", "ServerCompaction", "SlidingWindow",
    "SqliteStore", "SteppedWindow", "Summarised", "Turn", "async_memory_tool", "card", "check_request", "errors", "fit",
    "lab", "memory_tool", "open", "simulator", "tool",
}  # fmt: skip


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the house by its dotted name, parsed."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


@cache
def nodes(module: str) -> list[ast.AST]:
    """All that a module consists of."""
    return list(ast.walk(modules()[module]))


def imported(node: ast.AST) -> list[str]:
    """The modules that one import statement names, as dotted names; `from a import b` may name `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """All imports in a module but those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        for name in imported(node):
            yield node, name
        yield from imports(node)


def module_of(name: str) -> str:
    """The module of the house that a dotted name lies in."""
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def room(module: str) -> str | None:
    """The top-level room of a module; None for the door."""
    return module.split(".")[1] if "." in module else None


def level(module: str) -> int:
    """The stair of a module; the door stands with the command line."""
    place = module.partition(".")[2]
    return LEVEL.get(place, LEVEL.get(room(module) or "cli", len(STAIRS)))


@cache
def imports_of(module: str) -> list[str]:
    """What a module imports, but for type checkers alone."""
    return [name for _, name in imports(modules()[module])]


def needed(module: str) -> set[str]:
    """The other modules of the house that a module names: at its head, in its loaders, for type checkers alone."""
    names = [name for node in nodes(module) for name in imported(node) if name.split(".")[0] == "sash"]
    return {module_of(name) for name in names} - {module}


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods."""
    return (node for node in nodes(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_imports_point_down_the_stairs() -> None:
    """A room leans on rooms of its own stair and below, never on one above."""
    upwards = [
        (module, name)
        for module in modules()
        for name in imports_of(module)
        if name.startswith("sash.") and level(module) < level(module_of(name))
    ]
    assert upwards == []


def test_every_room_has_its_stair() -> None:
    """A new room is given its place, and a place named has its module."""
    assert {room(module) for module in modules()} - {None, "__main__"} <= set(LEVEL)
    assert {f"sash.{place}" for place in LEVEL} <= set(modules())


def test_the_front_door_is_clear() -> None:
    """Beside the rooms, the top of the package holds the door, the command, errors and types, and nothing else."""
    assert {path.name for path in HOUSE.iterdir() if path.is_file()} == {
        *("__init__.py", "__main__.py", "errors.py", "types.py", "py.typed")
    }


def test_no_module_imports_itself_in_a_circle() -> None:
    """The modules can be put in an order in which each names only earlier ones, late and type-checking imports too."""
    order = list(TopologicalSorter({module: needed(module) for module in modules()}).static_order())
    assert len(order) == len(modules())


def sized(tree: ast.AST, within: str) -> Iterator[tuple[str, int]]:
    """Every function by its dotted name, with its number of lines."""
    for node in ast.iter_child_nodes(tree):
        called = getattr(node, "name", None) if isinstance(node, ast.stmt) else None
        name = f"{within}.{called}" if called else within
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, (node.end_lineno or 0) - node.lineno + 1
        yield from sized(node, name)


def test_functions_are_short() -> None:
    """No function has more than forty lines, but for those that are listed; and who became short leaves the list."""
    found = [one for module, tree in modules().items() for one in sized(tree, module)]
    assert {name for name, lines in found if lines > LONGEST} == LONGER


def ours() -> Iterator[str]:
    """The modules that share one vocabulary: the simulator, another judge's house, has its own."""
    return (module for module in modules() if room(module) != "simulator")


def test_a_class_name_means_one_thing() -> None:
    """No class name is defined twice; only a part of the store is called as flows call it (`sash.flows.record`)."""
    classes = [(node.name, module) for module in ours() for node in nodes(module) if isinstance(node, ast.ClassDef)]
    ports = {name for name, module in classes if module == "sash.flows.record"}
    defined = Counter(name for name, module in classes if not (name in ports and room(module) == "stores"))
    assert {name for name, times in defined.items() if times > 1} == TWICE


def test_retired_names_do_not_come_back() -> None:
    """No class, function, argument, attribute or variable bears a name that was given up."""
    kinds = ("name", "id", "attr", "arg")
    used = {(getattr(node, kind, None), module) for module in ours() for node in nodes(module) for kind in kinds}
    assert {(name, module) for name, module in used if name in RETIRED} == set()


def test_functions_import_nothing_but_loaders() -> None:
    """An import inside a function stands in one named `_load_...`."""
    late = [
        (module, function.name)
        for module in modules()
        for function in functions(module)
        if not function.name.startswith("_load_") and any(imported(node) for node in ast.walk(function))
    ]
    assert late == []


def test_only_claude_and_the_simulators_client_import_the_sdk() -> None:
    """anthropic is known in two places."""
    users = {m for m in modules() if any(n.split(".")[0] == "anthropic" for n in imports_of(m))}
    assert users <= {"sash.claude.loading", "sash.simulator.client"}


@pytest.mark.parametrize("pure", PURE)
def test_decisions_and_flows_do_no_io(pure: str) -> None:
    """model, planning, counting, summaries, limits and flows know no clock, chance, threads, SQL or network.

    Of limits, all that does not carry out what the rest decides.
    """
    deciding = [m for m in modules() if room(m) == pure and m.removeprefix("sash.") not in (*GUARDS, *LOADING)]
    used = {name.split(".")[0] for m in deciding for name in imports_of(m)}
    assert used & set(IMPURE) == set()


def test_the_simulator_shares_no_code_with_those_it_judges() -> None:
    """The simulator leans on model and errors alone."""
    names = [n for m in modules() if room(m) == "simulator" for n in imports_of(m)]
    assert {room(module_of(name)) for name in names if name.startswith("sash.")} <= {"simulator", "model", "errors"}


def test_what_is_imported_is_declared() -> None:
    """The project depends on what it imports and on nothing else, extras included."""
    named = {name.split(".")[0] for module in modules() for node in nodes(module) for name in imported(node)}
    foreign = named - set(sys.stdlib_module_names) - {"sash"}
    needed = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in foreign} | READ
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {re.split(r"[^\w.-]", line)[0] for line in [*project["dependencies"], *extras]}
    assert declared - {"sash"} == needed  # an extra may stand for others


def test_names_kept_for_others_are_still_there() -> None:
    """Whatever is listed as used elsewhere, so that it does not count as dead, is defined in the house."""
    said = ast.parse((ROOT / "scripts" / "used_elsewhere.py").read_text("utf-8"))
    listed = {node.value for node in said.body[1:] if isinstance(node, ast.Expr)}
    names = {name.attr if isinstance(name, ast.Attribute) else ast.unparse(name) for name in listed}
    defined = {word for path in HOUSE.rglob("*.py") for word in re.findall(r"\w+", path.read_text("utf-8"))}
    assert names <= defined


def test_importing_sash_loads_nothing_heavy() -> None:
    """`import sash` in a fresh interpreter leaves the heavy packages alone."""
    code = f"import sys, sash; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert loaded == "[]"


def test_asking_the_command_for_help_loads_nothing_heavy() -> None:
    """`sash --help` leaves the heavy packages alone, too: the SDK, numpy, the tokenizers."""
    code = (
        "import sys\nfrom sash.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("client", [(), ("--simulator",)])
def test_a_server_listens_before_the_sdk_is_loaded(tmp_path: Path, client: tuple[str, ...]) -> None:
    """`sash serve` listens, and shows the list of conversations, without the SDK, numpy or tokenizers."""
    late = [name for name in HEAVY if name not in ("pydantic", "sqlite_utils")]
    code = (
        "import sys\nfrom sash.cli import main\nfrom sash.serve import server\n"
        "from starlette.testclient import TestClient\n"
        "def run(settings, store, client, started):\n"
        "    app = server.SashServer(settings, store, client, started).config.app\n"
        "    print(TestClient(app, 'http://127.0.0.1').get('/').status_code)\n"
        "server.run = run\n"
        f"main(['serve', {str(tmp_path / 'chats.db')!r}, *{client!r}], standalone_mode=False)\n"
        f"print([name for name in {late!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["200", "[]"]


def test_importing_sash_leaves_simulator_pages_and_stores_alone() -> None:
    """`import sash` loads no simulator, notebook view, database or event loop; each comes when it is named."""
    late = ("sash.simulator", "sash.inspect", "sash.stores.store", "sqlite3", "zoneinfo", "asyncio")
    code = (
        f"import sys, sash; print([name for name in sys.modules if name.startswith({late!r})]); "
        "print(sash.simulator.Simulator.__name__, sash.SqliteStore.__name__, sash.stores.RedisBook.__name__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["[]", "Simulator", "SqliteStore", "RedisBook"]


def test_what_is_imported_late_is_listed_before() -> None:
    """A package that imports some of its names late shows all it offers to `dir`, and so to editors and `help`."""
    late = [path.parent for path in HOUSE.rglob("__init__.py") if "\ndef __getattr__(" in path.read_text("utf-8")]
    names = [".".join(folder.relative_to(HOUSE.parent).parts) for folder in late]
    code = (
        f"import importlib; modules = [importlib.import_module(name) for name in {names!r}]; "
        "print([name for module in modules for name in module.__all__ if name not in dir(module)])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (said, "sash.stores" in names) == ("[]\n", True)


def test_the_package_runs_as_the_command() -> None:
    """`python -m sash` is the command line."""
    said = subprocess.run([sys.executable, "-m", "sash", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("sash, version")


def test_the_door_is_guarded() -> None:
    """The public names are a fixed list of about twenty; `import *` leaves Python's own `open` alone."""
    assert set(sash.__all__) == DOOR - {"open"}
    assert all(hasattr(sash, name) for name in DOOR)
    assert not set(sash.__all__) & set(dir(builtins))
