"""MLflow tracking: one experiment and one parent run a grid, one child run a trial, everything logged once.

Results are on disk before anything is sent, so a store that does not answer costs nothing but a message: the
next run of the grid delivers what is missing. ``mlflow.json`` beside the results says what each store already
holds. If that file is lost, the runs are found again by their tags.
"""

from negbench.tracking.delivery import Outcome, default_uri, log_grid
from negbench.tracking.trial import TrialLog

__all__ = ["Outcome", "TrialLog", "default_uri", "log_grid"]
