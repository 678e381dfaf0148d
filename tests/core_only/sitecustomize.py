"""Python imports this module first in processes that have its folder on their path: the extras cannot be imported."""

import sys

for package in ("matplotlib", "seaborn", "ipywidgets", "IPython", "jupyterlab", "dask", "distributed", "pdoc"):
    sys.modules[package] = None
