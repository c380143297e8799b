"""negbench: which negatives should a dense retriever train on, and how many of them are false?

The functions of ``negbench.api`` are here under their names: ``negbench.run("grid.yaml")``. They are imported when
they are first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negbench.api import (
        Advice,
        Audit,
        Comparison,
        Evaluation,
        Grid,
        GridLike,
        Inspection,
        MethodDetails,
        Methods,
        Mined,
        Parts,
        Plan,
        Pruning,
        RepairResults,
        Reproduction,
        Result,
        Results,
        SavedNegatives,
        StoreCheck,
        StoreListing,
        StoreSize,
        advise,
        audit,
        compare,
        describe_method,
        evaluate,
        grid_schema,
        inspect,
        list_methods,
        list_parts,
        list_store,
        load_grid,
        load_negatives,
        mine,
        plan_run,
        prune_store,
        push_model,
        quickstart_grid,
        reproduce,
        run,
        run_repair,
        store_size,
        verify_store,
        write_report,
    )

__version__: str
"""As ``pyproject.toml`` has it, where the version stands alone; it is read when it is first asked for."""
__all__ = [
    "Advice",
    "Audit",
    "Comparison",
    "Evaluation",
    "Grid",
    "GridLike",
    "Inspection",
    "MethodDetails",
    "Methods",
    "Mined",
    "Parts",
    "Plan",
    "Pruning",
    "RepairResults",
    "Reproduction",
    "Result",
    "Results",
    "SavedNegatives",
    "StoreCheck",
    "StoreListing",
    "StoreSize",
    "advise",
    "audit",
    "compare",
    "describe_method",
    "evaluate",
    "grid_schema",
    "inspect",
    "list_methods",
    "list_parts",
    "list_store",
    "load_grid",
    "load_negatives",
    "mine",
    "plan_run",
    "prune_store",
    "push_model",
    "quickstart_grid",
    "reproduce",
    "run",
    "run_repair",
    "store_size",
    "verify_store",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a function of the API, or read the version, when it is asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("negbench")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from negbench import api

    exported = globals()[name] = getattr(api, name)
    return exported


def __dir__() -> list[str]:
    return sorted({*globals(), "__version__", *__all__})
