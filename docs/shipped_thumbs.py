"""The small pictures of the models that come with the program:  python docs/shipped_thumbs.py"""

from fogcatcher.base.disk import write_atomically
from fogcatcher.model.config import CONFIG
from fogcatcher.model.places import SHIPPED
from fogcatcher.studio.thumbs import SHIPPED_THUMB, drawn

if __name__ == "__main__":
    for path in sorted(SHIPPED.glob(f"*/{CONFIG}")):
        content = drawn(path.parent.name)
        write_atomically(path.parent / SHIPPED_THUMB, lambda part, content=content: part.write_bytes(content))
