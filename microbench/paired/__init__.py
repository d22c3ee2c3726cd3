"""A pytest plugin that compares two pieces of code by pairs: before and after, interleaved in fresh processes.

The steps, in order:
1. `plugin` adds `pytest --paired` and the fixture `paired`; a test calls `paired.compare(before, after, args=(...))`;
2. `fixture` checks that both give the same result, and in the `--paired` mode hands the pair to `processes`;
3. `processes` starts one fresh interpreter after the other, each of which runs this one test again and comes to the
   same call of `compare`, where it measures instead (closures, fixtures and parameters all work, nothing is pickled);
4. `bodies` generates one loop per arm (empty, before, the twin of before, after), `rounds` times them in short batches
   in random order, with hot caches and with cold ones, and sends the medians back;
5. `profiler.stats.paired` turns the processes into intervals and a verdict and says when there are enough of them;
6. `table` and `archive` show the result in the terminal, and keep it as JSON beside pytest-benchmark's own.
"""
