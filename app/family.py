"""Which run was forked from which: families of runs as trees."""

from collections.abc import Iterable, Iterator

import networkx as nx

from engine.domain.run_list import RunSummary


def family_graph(runs: Iterable[RunSummary]) -> "nx.DiGraph[int]":
    """Numbers of runs, with an edge from each run to those forked from it."""
    known = {run.id: run for run in runs}
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(known)
    graph.add_edges_from(
        (run.parent_id, run.id) for run in known.values() if run.parent_id in known
    )
    return graph


def has_family(runs: Iterable[RunSummary], run_id: int) -> bool:
    """Whether a run was forked from another one, or another one from it."""
    graph = family_graph(runs)
    return run_id in graph and graph.degree(run_id) > 0


def family_tree(runs: Iterable[RunSummary], run_id: int) -> list[tuple[int, RunSummary]]:
    """The whole family of a run as a tree read from the top.

    Args:
        runs: All runs.
        run_id: One of them.

    Returns:
        (depth, run) for each member, each before the runs forked from it,
        siblings in order of their numbers. Depth 0 is the first run of all.
    """
    known = {run.id: run for run in runs}
    graph = family_graph(known.values())
    members = nx.node_connected_component(graph.to_undirected(as_view=True), run_id)
    root = next(member for member in members if graph.in_degree(member) == 0)
    return [(depth, known[member]) for depth, member in _walk(graph, root)]


def _walk(graph: "nx.DiGraph[int]", root: int) -> Iterator[tuple[int, int]]:
    """Depth-first, without recursion: a chain of forks may be long."""
    waiting = [(0, root)]
    while waiting:
        depth, member = waiting.pop()
        yield depth, member
        waiting += [(depth + 1, child) for child in sorted(graph.successors(member), reverse=True)]
