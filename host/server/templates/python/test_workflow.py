"""Hours of it in no time: `PYTHONPATH=refrain-sdk/src python3 -m unittest`."""

import unittest

from refrain_sdk.testing import Env
from workflow import {{ident}}


class Test(unittest.TestCase):
    """What comes of an invitation."""

    def test_an_answer_ends_the_wait(self) -> None:
        ended = Env().signal(60, "answer", "yes").run({{ident}}, {"name": "Ada"})
        self.assertEqual(ended.result(), "Ada says: yes")
        self.assertEqual(ended.elapsed.total_seconds(), 60)

    def test_nobody_waits_for_ever(self) -> None:
        ended = Env().run({{ident}}, {"name": "Ada", "seconds": 5})
        self.assertEqual(ended.result(), "Ada did not answer")


if __name__ == "__main__":
    unittest.main()
