"""Every experiment by name."""

from seekmath.reproduce.mining import FIGURE_2
from seekmath.reproduce.reinforcement import FIGURE_5, FIGURE_6, FIGURE_7, TABLE_5

EXPERIMENTS = {
    "figure-2": FIGURE_2,
    "figure-5": FIGURE_5,
    "figure-6": FIGURE_6,
    "figure-7": FIGURE_7,
    "table-5": TABLE_5,
}
