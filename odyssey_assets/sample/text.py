"""What people write: ordinary sentences, and text that careless migrations damage.

Belongs here: pools of strings. Does not belong here: drawing from them (``chunk``), JSON documents (``documents``).
"""

LANGUAGES = ("en", "fr", "de", "es", "it", "pt-BR", "ja", "ar")

OPENINGS = (
    "Check-in",
    "The kiosk",
    "Mobile key",
    "Réception",
    "Zimmerservice",
    "Payment",
    "Housekeeping board",
    "Night audit",
    "Group booking",
    "La conciergerie",
    "Room move",
    "Passport scan",
)

SENTENCES = (
    "takes too long when a coach arrives",
    "should remember the language of the guest",
    "prend trop de temps le samedi matin",
    "könnte die Zimmernummer größer anzeigen",
    "loses the note after the second save",
    "no permite cambiar la tarjeta a última hora",
    "works well since the last release, thank you",
    "needs a filter by village",
    "shows yesterday's arrivals after midnight",
    "n'affiche pas les enfants de moins de 4 ans",
    "would save us ten minutes a shift",
    "asks for the same document twice",
)

UNUSUAL_TEXTS = (
    "受付が混雑しています。待ち時間を表示してください。",
    "客房状态更新太慢，请尽快修复。𠜎𠜱",
    "체크인 화면이 너무 어두워요",
    "الوصول بطيء جدًا في الصباح (Check-in 2)",
    "הקיוסק לא קורא דרכונים ישנים",
    "चेक-इन बहुत धीमा है",
    "ระบบช้ามากตอนเช้า",
    "Бронирование пропадает после обновления",
    "Η κράτηση χάνεται μετά την ανανέωση",
    "Great idea 🎉👩‍👩‍👧‍👦🏖️ +1 👍🏽",
    "cafe\u0301 and café, A\u030angstro\u0308m and Ångström, ﬁ and fi",
    "right-to-left mark \u200f here, zero width\u200bspace, soft\u00adhyphen, no-break\u00a0space",
    "first line\nsecond line\r\n\tindented after a tab\n",
    "C:\\temp\\new\\table.csv and \\N and \\. and \\\\server\\share",
    "it's \"quoted\"; DROP TABLE 'Vote'; -- 100% $1 {x} %s",
    "  spaces before and after  ",
    "NULL",
    "\ufeffbyte order mark first, \u2028line separator, replacement \ufffd, control \x01\x1f\x7f",
    "Z\u0351a\u036bl\u0343g\u036ao\u0302 Straße STRASSE İstanbul ıstanbul",
    "\U0001d4de\U0001d4ed\U0001d502\U0001d4fc\U0001d4fc\U0001d4ee\U0001d502 \ue000 private use",
)

GIVEN_NAMES = ("Amélie", "Jonas", "Sofía", "Noor", "Yuki", "Zoë", "Łukasz", "Siân", "Ngọc", "Åsa", "محمد", "美咲")
FAMILY_NAMES = ("Dubois", "Müller", "García", "O'Brien", "Tanaka", "van den Berg", "Nowak", "Nguyễn", "Şahin", "Smith")

USER_AGENTS = ("Mozilla/5.0 (iPad; CPU OS 18_1)", "Mozilla/5.0 (Windows NT 10.0)", "curl/8.5.0", "")
IP_ADDRESSES = ("::1", "10.20.30.40", "192.0.2.17", "2001:db8::8a2e:370:7334", "203.0.113.200")
