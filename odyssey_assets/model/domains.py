"""The parts of the application a table can belong to; they become the asset groups.

Belongs here: names of domains and who answers for them. Does not belong here: which table is in which (each
declaration says so itself).
"""

from enum import StrEnum


class Domain(StrEnum):
    """Asset groups of the Dagster UI."""

    PEOPLE = "people"
    FEEDBACK = "feedback"
    ROADMAP = "roadmap"
    RESEARCH = "research"
    NOTIFICATIONS = "notifications"
    GAMIFICATION = "gamification"
    COLLABORATION = "collaboration"
    OPERATIONS = "operations"
