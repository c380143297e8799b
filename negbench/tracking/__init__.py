"""MLflow tracking: one experiment and one parent run a grid, one child run a trial, everything logged once.

Results are on disk before anything is sent, so a store that does not answer costs nothing but a message: the
next run of the grid delivers what is missing. What a store holds is asked from the store each time and remembered
nowhere else: runs are found by their tags, and people delete and restore them in between.
"""

from negbench.tracking.delivery import Outcome, default_uri, log_grid
from negbench.tracking.trial import TrialLog

__all__ = ["Outcome", "TrialLog", "default_uri", "log_grid"]
