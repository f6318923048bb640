"""Write the JSON Schemas of the results: `python -m genrescope.results docs/schema`."""

import sys
from pathlib import Path

from genrescope.results.schema import write_all

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m genrescope.results FOLDER")
    for path in write_all(Path(sys.argv[1])):
        print(path)
