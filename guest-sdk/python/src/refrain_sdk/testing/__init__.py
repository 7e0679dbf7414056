"""A host for native tests: a workflow runs without WebAssembly, in no time.

```python
ended = Env().activity("greet", lambda name: f"Hello, {name}!").run(hello, "Ada")
assert ended.result() == "Hello, Ada!"
assert ended.calls == ["1 = timer 31536000s", "wait", '2 = activity greet "Ada"', "wait"]
```

Time is skipped: a wait takes what is due first and sets the clock to it. What is due at the same time is delivered by
one wait, in the order in which it was started. An activity is called once for each start, whatever its retry policy
says: what the function returns stands for the outcome of the last attempt. Children are functions too.
"""

from .ended import Ended
from .env import Env

__all__ = ["Ended", "Env"]
