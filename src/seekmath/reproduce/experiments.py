"""Every experiment by name."""

from seekmath.reproduce.corpora import TABLE_1, TABLE_6, TABLE_8
from seekmath.reproduce.memory import MEMORY
from seekmath.reproduce.mining import FIGURE_2
from seekmath.reproduce.proving import TABLE_9
from seekmath.reproduce.reinforcement import FIGURE_5, FIGURE_6, FIGURE_7, TABLE_5

EXPERIMENTS = {
    "table-1": TABLE_1,
    "figure-2": FIGURE_2,
    "figure-5": FIGURE_5,
    "figure-6": FIGURE_6,
    "figure-7": FIGURE_7,
    "table-5": TABLE_5,
    "table-6": TABLE_6,
    "table-8": TABLE_8,
    "table-9": TABLE_9,
    "memory": MEMORY,
}

#: Tables and figures that show the same experiment as another.
ALSO = {"figure-1": "table-5", "figure-3": "table-1", "table-7": "table-6"}
