"""Small tables whose rows the application ships with: villages, features, badges, achievements.

Belongs here: their contents, the same at every scale. Does not belong here: anything that grows.
"""

VILLAGES = (
    "La Rosière",
    "Opio en Provence",
    "Cefalù",
    "Kani",
    "Bali",
    "石垣島",
    "Agadir",
    "Québec Charlevoix",
    "Gregolimano · Γρεγολίμανο",
    "Palmiye",
    "Punta Cana",
    "Tignes",
)

FEATURES = (
    ("feat-kiosk-passport-scan", "Passport scan at the kiosk", "CheckIn"),
    ("feat-checkin-mobile", "Mobile check-in", "CheckIn"),
    ("feat-checkin-group", "Group check-in", "CheckIn"),
    ("feat-room-move", "Room move", "Reservations"),
    ("feat-overbooking-alert", "Overbooking alert", "Reservations"),
    ("feat-waiting-list", "Waiting list", "Reservations"),
    ("feat-contactless-payment", "Contactless payment", "Payments"),
    ("feat-split-bill", "Split bill", "Payments"),
    ("feat-refund-flow", "Refunds", "Payments"),
    ("feat-deposit-hold", "Deposit hold", "Payments"),
    ("feat-room-status-live", "Live room status", "Housekeeping"),
    ("feat-linen-count", "Linen count", "Housekeeping"),
    ("feat-minibar-scan", "Minibar scan", "Housekeeping"),
    ("feat-lost-and-found", "Lost & found", "Housekeeping"),
    ("feat-night-audit", "Night audit", "Backoffice"),
    ("feat-shift-handover", "Shift handover — passation", "Backoffice"),
    ("feat-export-parquet", "Export to Parquet", "Backoffice"),
    ("feat-role-matrix", "Role matrix", "Backoffice"),
)
"""Id, title, product area."""

BADGE_TIERS = ("bronze", "silver", "gold", "platinum")
BADGE_CATEGORIES = ("feedback", "voting", "research", "quality")
BADGES = tuple((category, tier) for category in BADGE_CATEGORIES for tier in BADGE_TIERS)

ACHIEVEMENTS = (
    ("streak_7day", "7-Day Streak", "streak", '{"consecutiveDays":7}'),
    ("streak_30day", "30-Day Streak", "streak", '{"consecutiveDays":30}'),
    ("first_feedback", "First Words", "feedback", '{"feedback":1}'),
    ("first_vote", "First Vote", "voting", '{"votes":1}'),
    ("merged_10", "Good Company", "quality", '{"merged":10,"window":{"days":90}}'),
    ("shipped", "It Shipped!", "quality", '{"states":["in_roadmap","closed"]}'),
    ("polyglot", "Polyglot 🌍", "feedback", '{"languages":3}'),
    ("researcher", "Lab Rat", "research", '{"sessions":5}'),
    ("night_owl", "Nachteule", "hidden", '{"hours":[0,1,2,3,4]}'),
    ("traveller", "Voyageur", "hidden", '{"villages":4}'),
)
"""Key, name, category, requirement."""
