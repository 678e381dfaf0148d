"""What the lessons use: checks of exercises, figures that can be read, controls to play with."""

from maple_lite.course.session import session
from maple_lite.course.teach.figures import explore, show

__all__ = ["explore", "session", "show"]
