"""MLflow tracking: one experiment and one parent run per grid, one child run per trial, each logged once.

Results are on disk before anything is sent. A store that does not answer costs nothing but a message: the next run of
the grid sends what is missing. The store itself is asked what it has, since users delete and restore runs: runs are
found by their tags.
"""

from negbench.tracking.background import BackgroundDelivery
from negbench.tracking.delivery import Outcome, default_uri, log_grid
from negbench.tracking.trial import TrialLog

__all__ = ["BackgroundDelivery", "Outcome", "TrialLog", "default_uri", "log_grid"]
