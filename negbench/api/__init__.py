"""The functions of ``import negbench``: what the command line does, with results as objects.

Each imports what it needs when it is called, so that importing all of them takes no time.
"""

from negbench.api.advice import Advice, advise
from negbench.api.audits import Audit, audit
from negbench.api.comparisons import Comparison, compare
from negbench.api.evaluations import Evaluation, evaluate
from negbench.api.grids import Grid, GridLike, grid_schema, load_grid, quickstart_grid
from negbench.api.inspections import Inspection, inspect
from negbench.api.methods import MethodDetails, Methods, describe_method, list_methods
from negbench.api.mined import Mined, SavedNegatives, load_negatives, mine
from negbench.api.parts import Parts, list_parts
from negbench.api.plans import Plan, plan_run
from negbench.api.pushes import push_model
from negbench.api.repairs import RepairResults, run_repair
from negbench.api.reproductions import Reproduction, reproduce
from negbench.api.result import Result
from negbench.api.runs import Results, run, write_report
from negbench.api.stores import (
    Pruning,
    StoreCheck,
    StoreListing,
    StoreSize,
    list_store,
    prune_store,
    store_size,
    verify_store,
)

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
