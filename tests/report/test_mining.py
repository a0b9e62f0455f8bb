import shutil

from seekmath.core.files import write_json
from seekmath.report.mining import read_mining
from seekmath.report.runs import open_run


def mining_of(run_dir):
    return read_mining(open_run(run_dir).of_type("mine")[0])


def test_the_funnel_starts_with_all_that_was_read(run_dir) -> None:
    mining = mining_of(run_dir)
    assert mining.entered == 12_000
    assert [step.name for step in mining.steps] == [
        "extract", "deduplicate", "collect", "decontaminate",
    ]  # fmt: skip
    assert mining.steps[0].share == 0.85
    assert mining.steps[1].dropped == [("near duplicate", 900), ("same url", 300)]


def test_hosts_carry_their_share_in_every_round_and_candidates_are_marked(run_dir) -> None:
    hosts = mining_of(run_dir).hosts
    assert [host.name for host in hosts] == ["maths.example", "forum.example", "shop.example"]
    assert hosts[0].shares == [0.5, 0.8, 0.85]
    assert [host.candidate for host in hosts] == [True, True, False]


def test_rounds_are_drawn_with_and_without_truth(run_dir) -> None:
    assert mining_of(run_dir).has_truth
    assert len(mining_of(run_dir).charts) == 2
    rounds = open_run(run_dir).of_type("mine")[0].json("rounds.json")
    for row in rounds:
        del row["truth"]
    write_json(run_dir / "mine/rounds.json", rounds)
    assert not mining_of(run_dir).has_truth
    assert [chart.title for chart in mining_of(run_dir).charts] == ["collected in the round before"]


def test_a_stage_under_way_shows_the_rounds_that_are_finished(run_dir) -> None:
    rounds = open_run(run_dir).of_type("mine")[0].json("rounds.json")
    for name in ("rounds.json", "funnel.json", "contamination.json"):
        (run_dir / "mine" / name).unlink()
    write_json(run_dir / "mine/rounds/01/round.json", rounds[0])
    mining = mining_of(run_dir)
    assert [row["round"] for row in mining.rounds] == [1]
    assert mining.steps == []


def test_misshapen_files_read_as_nothing(run_dir) -> None:
    for name in ("rounds.json", "funnel.json", "contamination.json"):
        write_json(run_dir / "mine" / name, {"a": 1} if name != "contamination.json" else [1])
    mining = mining_of(run_dir)
    assert (mining.rounds, mining.steps, mining.contamination) == ([], [], {})
    shutil.rmtree(run_dir / "mine" / "rounds", ignore_errors=True)


def test_long_lists_are_cut_and_the_rest_counted(run_dir) -> None:
    rounds = open_run(run_dir).of_type("mine")[0].json("rounds.json")
    rounds[-1]["hosts"] = [
        {"host": f"h{n}.example", "pages": 9, "collected": 5, "share": 0.5} for n in range(60)
    ]
    write_json(run_dir / "mine/rounds.json", rounds)
    mining = mining_of(run_dir)
    assert len(mining.hosts) + mining.more_hosts == 60
    assert mining.more_hosts > 0
    assert mining.hosts[0].shares == [None, None, 0.5]


def test_scores_are_drawn_with_the_cut_and_what_they_are_worth(run_dir) -> None:
    mining = mining_of(run_dir)
    histogram, reliability = mining.scores
    assert [line.name for line in histogram.lines] == ["round 3", "round 1", "cut of round 3"]
    assert [tick.label for tick in histogram.y_ticks] == ["1", "10", "100", "1,000"]
    assert [tick.label for tick in histogram.x_ticks][::5] == ["0", "1.0"]
    assert [len(line.marks) for line in reliability.lines] == [10, 10, 0]
    assert mining.calibration["raw"]["error"] > mining.calibration["calibrated"]["error"]


def test_an_empty_bin_stands_at_the_foot_of_the_histogram(run_dir) -> None:
    # |10 - 10|^3 = 0 pages from 0.5 to 0.55
    chart = mining_of(run_dir).scores[0]
    path = chart.lines[0].path
    assert f",{chart.bottom:g}" in path


def test_each_round_tells_what_it_made_of_a_host(run_dir) -> None:
    (number, hosts), *_, last = mining_of(run_dir).passages
    assert (number, last[0]) == (1, 3)
    assert (hosts[0].host, hosts[0].collected, hosts[0].candidate) == ("maths.example", 200, True)
    assert (hosts[0].prefixes, hosts[0].left) == (1, 10)
    assert hosts[2].left is None


def test_misshapen_scores_are_left_out(run_dir) -> None:
    rounds = open_run(run_dir).of_type("mine")[0].json("rounds.json")
    for row in rounds:
        row["histogram"], row["calibration"] = [3, {"from": "x"}], {"raw": 1, "calibrated": []}
        row["prefixes"] = [{"prefix": None, "pages": "many"}]
    write_json(run_dir / "mine/rounds.json", rounds)
    mining = mining_of(run_dir)
    assert (mining.scores, mining.calibration) == ([], {})
