"""The drills that were run: a score card each, kept under the home folder, and read by whoever wants to know how ready the team is.

last = last_drill(config.folder)
last.at, last.scenario, last.passed, last.score, last.attended, last.result    # or None: nobody ever drilled
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from incident.score_card import ScoreCard, card_text, compared
from tasks.render import score_card_page
from tasks.report_files import write_whole

FOLDER = "drills"


class DrillRecords:
    """The cards in one folder, as JSON, and beside it as Markdown and as a page.

    Args:
        home: the folder for state, as the configuration names it.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def keep(self, card: ScoreCard) -> Path:
        """Keep a card; the file that people read.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{card.at:%Y%m%dT%H%M%SZ}-{card.incident}"
        earlier = self.all()
        comparison = compared(card, earlier)
        write_whole(self.folder / f"{name}.json", card.model_dump_json(indent=1))
        write_whole(self.folder / f"{name}.md", card_text(card, comparison))
        write_whole(self.folder / f"{name}.html", score_card_page(card, comparison, earlier))
        return self.folder / f"{name}.html"

    def all(self) -> list[ScoreCard]:
        """Every card that can be read, the oldest first."""
        return self.read()[0]

    def read(self) -> tuple[list[ScoreCard], list[str]]:
        """Every card that can be read, the oldest first, and the names of files that cannot."""
        cards: list[ScoreCard] = []
        unread: list[str] = []
        for file in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []:
            try:
                cards.append(ScoreCard.model_validate_json(file.read_bytes()))
            except (ValidationError, OSError):
                unread.append(file.name)
        return sorted(cards, key=lambda card: card.at), unread


def last_drill(home: Path) -> ScoreCard | None:
    """The newest card of any scenario; `None` where no drill was ever run here."""
    return _newest(DrillRecords(home).all())


def _newest(cards: Sequence[ScoreCard]) -> ScoreCard | None:
    return cards[-1] if cards else None
