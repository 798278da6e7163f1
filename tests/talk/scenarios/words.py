"""Days and names that several scenarios have. Every call is on Wednesday 2026-11-25."""

from __future__ import annotations

TODAY, TOMORROW, FRIDAY = "2026-11-25", "2026-11-26", "2026-11-27"
MONDAY, TUESDAY, THIRD, NEXT_FRIDAY = "2026-11-30", "2026-12-01", "2026-12-03", "2026-12-04"
SMITH, MILLER, BROWN, JOHNSON, WILSON = "John Smith", "Anna Miller", "Peter Brown", "Mary Johnson", "David Wilson"
SCENARIOS = ()
