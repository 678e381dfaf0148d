"""What notebooks use beside the library: checks of exercises, figures that can be read, controls to play with."""

from maple_lite.teach.figures import explore, show
from maple_lite.teach.session import session

__all__ = ["explore", "session", "show"]
