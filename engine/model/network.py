"""What a search asks of its supernet, whatever the task."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor, nn

from engine.domain.space import SearchSpace
from engine.model.probe import Probe


class SearchNetwork(Protocol):
    """A module with architecture parameters; a code given to it chooses what is run.

    Attributes:
        space: The search space.
        alphas: One [E, K] parameter a cell kind, part of the ``state_dict``.
    """

    space: SearchSpace
    alphas: nn.ParameterDict

    def __call__(
        self, inputs: Any, codes: Mapping[str, Float[Tensor, "... E K"]], probe: Probe | None = None
    ) -> Any:
        """The answers of the network that the codes choose."""

    @property
    def kinds_of_cells(self) -> Sequence[str]:
        """Kind of each cell, in the order from the inputs to the scores."""

    def weight_parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter but the alphas."""

    def alpha_parameters(self) -> Iterator[nn.Parameter]:
        """The architecture parameters, one a cell kind."""

    def train(self, mode: bool = True) -> Any:
        """Whether dropout is at work."""

    def state_dict(self) -> dict[str, Any]:
        """Weights and alphas."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Restore weights and alphas."""


def by_cell(
    codes: Mapping[str, Float[Tensor, "... E K"]], kinds: Sequence[str]
) -> list[Float[Tensor, "E K"]]:
    """Return the code of each cell.

    Args:
        codes: Per cell kind, one code [E, K] that all its cells share, or
            [cells, E, K] with one for each of them, the first cell first.
        kinds: Kind of each cell.

    Raises:
        IndexError: A kind has more cells than codes.
    """
    found: list[Tensor] = []
    seen: Counter[str] = Counter()
    for kind in kinds:
        code = codes[kind]
        found.append(code if code.dim() == 2 else code[seen[kind]])
        seen[kind] += 1
    return found
