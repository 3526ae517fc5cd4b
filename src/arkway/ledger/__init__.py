"""Who owes what for which tokens? An append-only book of attempts, durable before it is believed.

An attempt is held (`entry.Intent`) before anything is sent upstream, and ended once (`entry.End`:
settled, void or unknown) before the last byte reaches the caller. Cores: `entry`, `price`,
`settle`, `chain`, `rollup`. Acting: `book_io` (the one writer), `read_io`, `backup_io`. Must not
import other data rooms.
"""
